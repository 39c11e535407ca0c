"""Log lines, as JSON or text, and one filter through which every one of them goes, the SDKs' too.

Nothing of ours logs a secret. The filter is the second line: what looks like a token or a key does not get through.
"""

import json
import logging
import re
import sys
import time
import traceback
from datetime import UTC, datetime
from typing import Final, TextIO

MAX_LINE_CHARS: Final = 8192

_REPLACED: Final = "<redacted>"
_PATTERNS: Final = (
    # a JWT: three base64url parts, the first a JSON object
    re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    # headers, form fields and JSON members that hold a credential or a secret's content
    re.compile(
        r"(?i)(?<=[\W_])(authorization|x-amz-security-token|x-vault-token|web_?identity_?token|client_assertion|"
        r"client_?secret|access_?token|id_?token|session_?token|secret_?access_?key|aws_secret_access_key|"
        r"aws_session_token|secret_?string|secret_?binary|subject_token|jwt|password)"
        r"""(["']?\s*[:=]\s*)(b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'|(?:Bearer |Basic )?[^\s,&;}"']+)"""
    ),
    re.compile(r"\b(?:hvs|hvb|s)\.[A-Za-z0-9_-]{20,}"),
)
_QUIET: Final = ("botocore", "boto3", "urllib3", "s3transfer", "grpc", "asyncio")
"""They print requests and answers at debug."""
_SILENT: Final = ("azure", "msal")
"""They log every request, and refusals with ids that differ each time; what a refusal says is in our own errors."""
_STANDARD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def redact(text: str) -> str:
    """`text` without what looks like a token, a key or a secret's content."""
    padded = " " + text
    for pattern in _PATTERNS:
        padded = pattern.sub(lambda match: f"{match[1]}{match[2]}{_REPLACED}" if match.re.groups else _REPLACED, padded)
    return padded[1:]


class RedactingFilter(logging.Filter):
    """Puts the finished, redacted text in the record's place; always lets it through."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact message, exception and the extra fields that are text."""
        record.msg = redact(record.getMessage())
        record.args = None
        if record.exc_info and not record.exc_text:
            kind, error, trace = record.exc_info
            # Frames without their values; the exception's own words pass the same filter.
            frames = "".join(traceback.format_tb(trace)) if trace else ""
            record.exc_text = redact(f"{frames}{kind.__name__ if kind else 'Exception'}: {error}")
            record.exc_info = None
        for key, value in record.__dict__.items():
            if key not in _STANDARD and isinstance(value, str):
                record.__dict__[key] = redact(value)
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts (RFC 3339, UTC), level, logger, message, and the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_LINE_CHARS],
        }
        line |= {key: value for key, value in record.__dict__.items() if key not in _STANDARD}
        if record.exc_text:
            line["exception"] = record.exc_text[:MAX_LINE_CHARS]
        return json.dumps(line, ensure_ascii=False, default=lambda value: type(value).__name__)


class TextFormatter(logging.Formatter):
    """One line for a person; a line break in a message does not begin a new one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        text = record.getMessage()[:MAX_LINE_CHARS]
        if record.exc_text:
            text += "\n" + record.exc_text[:MAX_LINE_CHARS]
        text = text.replace("\r", "\\r").replace("\n", "\\n")
        clock = time.strftime("%H:%M:%S", time.gmtime(record.created))
        return f"{clock} {record.levelname.lower():<7} {record.name}: {text}"


def configure(level: str, form: str, stream: TextIO | None = None) -> logging.Handler:
    """Send everything that is logged to one stream, through the one filter.

    Args:
        level: debug, info, warn or error.
        form: json or text.
        stream: where to; standard error by default.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    logging.raiseExceptions = False  # a failing handler prints the record's arguments
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.INFO))
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return handler
