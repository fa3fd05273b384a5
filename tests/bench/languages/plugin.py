from millrace.transform import Keep, transform


def keep(record):
    """Keeps every record."""
    return Keep()


Lifecycle, TransformSimple = transform(keep)
