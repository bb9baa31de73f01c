"""Every error of the billing export, by name."""

from dagster_project.errors import ApportionError, UsageError


class BadExportSettings(UsageError):
    """An APPORTION_EXPORT_ variable has a value that cannot be used."""


class ExportUnavailable(ApportionError):
    """The provider cannot be reached or is busy; another attempt may succeed."""


class ExportTimedOut(ExportUnavailable):
    """The export took longer than the time limit."""


class ExportCutOff(ExportUnavailable):
    """The connection ended before an answer or blob was complete."""


class BlobMissing(ExportUnavailable):
    """A blob in the manifest is missing or no longer accessible; a new manifest may help."""


class ExportUnusable(ApportionError):
    """The provider's answer cannot be used; another attempt would give the same."""


class ExportRefused(ExportUnusable):
    """The provider rejects the request: the token, the permission or the invoice is wrong."""


class ExportFailed(ExportUnusable):
    """The provider ended the operation as failed."""


class UnsafeAddress(ExportUnusable):
    """An address without https, or at a host that is not allowed."""


class UnusableManifest(ExportUnusable):
    """The manifest is incomplete, or contradicts itself or the request."""


class UnsafeBlobName(UnusableManifest):
    """The name of a blob is not a plain file name."""


class DamagedBlob(ExportUnusable):
    """A blob is not a complete gzip file."""


class ExportTooLarge(ExportUnusable):
    """An answer or blob exceeds the size limit, packed or unpacked."""


class LandingInTheWay(ApportionError):
    """The export cannot be moved into landing in one step."""
