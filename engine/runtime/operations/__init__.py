"""What administrators do to running and ended instances: one subject a file, offered by :class:`~engine.runtime.operations.face.Operations`."""
