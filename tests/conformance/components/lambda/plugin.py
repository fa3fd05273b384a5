"""The function as a transform."""

from handler import lambda_handler
from millrace.aws_lambda import from_lambda

Lifecycle, TransformSimple = from_lambda(lambda_handler, name="answers")
