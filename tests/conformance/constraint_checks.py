"""How an input that breaks constraints must be answered, and the tests that are made of the cases
of `model_cases`: one for each member and constraint."""

import re

from model_cases import cases, path_text, put, wrong_types

REFUSALS = ("ValidationException", "SerializationException")


class ConstraintChecks:
    """Mixed into a test that has the server and the service."""

    def answer(self, operation, body):
        return self.server.raw(operation, body, self.service.name)

    def refused(self, operation, body, code):
        status, answer = self.answer(operation, body)
        self.assertEqual(status, 400, answer)
        self.assertEqual(answer["__type"].split("#")[-1], code, answer)
        text = answer["Message" if code == "SerializationException" else "message"]
        self.assertTrue(text, "an error without a text")
        return text

    def allowed(self, operation, body):
        """Whatever becomes of the input, it is not for its form that it is refused."""
        _, answer = self.answer(operation, body)
        self.assertNotIn((answer or {}).get("__type", "").split("#")[-1], REFUSALS, answer)

    def check_violation(self, operation, path, value, constraints):
        body = put(self.service.valid[operation], path, value)
        message = self.refused(operation, body, "ValidationException")
        head, _, rest = message.partition(" detected: ")
        plural = "s" if 1 < len(constraints) else ""
        self.assertEqual(head, f"{len(constraints)} validation error{plural}")
        parts = re.split(r"; (?=Value )", rest)
        told = set()
        for part in parts:
            told_path = f" at '{path_text(path)}' failed to satisfy constraint: "
            shown, _, text = part.partition(told_path)
            self.assertTrue(text, f"{part!r} does not name {path_text(path)}")
            self.check_shown(shown, value)
            told.add(re.sub(r"enum value set: \[[^]]+\]", "enum value set: [...]", text))
        self.assertEqual(told, constraints)

    def check_shown(self, shown, value):
        """The value as the answer repeats it; a very long one is cut."""
        if value is None:
            self.assertEqual(shown, "Value null")
            return
        self.assertRegex(shown, re.compile(r"^Value '.*'$", re.DOTALL))
        shown = shown[len("Value '") : -1]
        if isinstance(value, (list, dict)) or shown.startswith("java.nio."):
            return
        if shown.endswith("..."):
            self.assertTrue(str(value).startswith(shown[:-3]) and 4000 < len(shown))
        else:
            self.assertEqual(shown, str(value))

    def test_every_input_used_here_is_itself_without_fault(self):
        for operation, body in self.service.valid.items():
            with self.subTest(operation):
                self.allowed(operation, body)


def add(tests, name, check, *arguments):
    assert not hasattr(tests, name), name

    def test(self):
        check(self, *arguments)

    setattr(tests, name, test)


def allowed_together(self, operation, values):
    for name, body in values:
        with self.subTest(name):
            self.allowed(operation, body)


def add_tests(tests):
    """Adds to a class of tests what its service's model says."""
    service = tests.service
    for operation, valid in service.valid.items():
        shape = service.input(operation)
        allowed = []
        for name, path, value, constraints in cases(service, shape, [], valid):
            if not constraints:
                allowed.append((name, put(valid, path, value)))
                continue
            check = tests.check_violation
            add(tests, f"test_{operation}_{name}", check, operation, path, value, constraints)
        name = f"test_{operation}_with_what_its_model_allows_is_not_refused"
        add(tests, name, allowed_together, operation, allowed)
        wrong = [
            (f"{name}_is_no_value", put(valid, path, value))
            for name, path, value in wrong_types(service, shape, [], valid)
            if path or not isinstance(value, dict)
        ]
        texts = [name for name, member in shape.members.items() if member.type_name == "string"]
        broken_json = [b"{", b"{]", b'{"a":1}x', b"\xff\xfe"]
        broken_json += [b'{"%s":"\xff"}' % text.encode() for text in texts[:1]]
        wrong += [(f"broken_json_{number}", body) for number, body in enumerate(broken_json)]
        for name, body in wrong:
            code = "SerializationException"
            add(tests, f"test_{operation}_{name}", tests.refused, operation, body, code)
