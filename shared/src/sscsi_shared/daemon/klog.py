"""Flags of klog, the logger of the existing driver and providers: manifests still hold them, and they do nothing."""

from typing import Any, Final

from sscsi_shared.daemon.flags import Flag, boolean

OBSOLETE: Final = "Taken for compatibility; does nothing."
_TEXTS: Final = ("v", "vmodule", "stderrthreshold", "log_dir", "log_file", "log_file_max_size", "log_backtrace_at")
_SWITCHES: Final = (
    "logtostderr", "alsologtostderr", "skip_headers", "skip_log_headers", "add_dir_header", "one_output",
)  # fmt: skip


def obsolete_texts(*names: str) -> tuple[Flag[Any], ...]:
    """Flags with a value that do nothing."""
    return tuple(Flag(name, "", OBSOLETE, str) for name in names)


def obsolete_switches(*names: str) -> tuple[Flag[Any], ...]:
    """Switches that do nothing."""
    return tuple(Flag(name, False, OBSOLETE, boolean) for name in names)


KLOG_FLAGS: Final = (*obsolete_texts(*_TEXTS), *obsolete_switches(*_SWITCHES))
