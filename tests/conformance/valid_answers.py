"""Whether answers are what the public service model says."""

from datetime import datetime

from server import model

TYPES = {
    "string": str, "integer": int, "long": int, "boolean": bool, "blob": bytes,
    "timestamp": datetime, "list": list, "map": dict, "structure": dict, "double": float,
}


class ValidAnswers:
    """Assertions for a test of one service."""

    service = "kinesis"

    def output(self, operation):
        return model(self.service).operation_model(operation).output_shape

    def assert_valid(self, operation, answer):
        """What botocore parsed: every member has its type, and the required ones are there."""
        answer = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        self.assert_shape(self.output(operation), answer)

    def assert_shape(self, shape, value):
        self.assertIsInstance(value, TYPES[shape.type_name], shape.name)
        if shape.type_name == "structure":
            self.assertLessEqual(set(shape.required_members), set(value), shape.name)
            for name, member in value.items():
                self.assert_shape(shape.members[name], member)
        elif shape.type_name == "list":
            for member in value:
                self.assert_shape(shape.member, member)
        elif shape.type_name == "string" and shape.enum:
            self.assertIn(value, shape.enum)

    def assert_known(self, operation, body):
        """What was sent: botocore passes over members that the model does not know, and null."""
        self.assert_members(self.output(operation), body)

    def assert_members(self, shape, value):
        self.assertIsNotNone(value, shape.name)
        if shape.type_name == "structure":
            self.assertLessEqual(set(value), set(shape.members), shape.name)
            for name, member in value.items():
                self.assert_members(shape.members[name], member)
        elif shape.type_name == "list":
            for member in value:
                self.assert_members(shape.member, member)
