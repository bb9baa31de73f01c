"""Every way an export can fail, by name."""

from dagster_project.errors import ApportionError, UsageError


class BadExportSettings(UsageError):
    """The APPORTION_EXPORT_ variables are there but cannot be used."""


class ExportUnavailable(ApportionError):
    """The provider could not be reached or is busy; another try may go well."""


class ExportTimedOut(ExportUnavailable):
    """The export took longer than the longest wait that is allowed."""


class ExportCutOff(ExportUnavailable):
    """The connection ended before the whole of an answer or blob was there."""


class BlobMissing(ExportUnavailable):
    """A blob of the manifest is not there or no longer allowed; a new manifest may mend it."""


class ExportUnusable(ApportionError):
    """What the provider answered cannot be used; another try would give the same."""


class ExportRefused(ExportUnusable):
    """The provider does not accept the request: token, permission or invoice is wrong."""


class ExportFailed(ExportUnusable):
    """The provider ended the operation as failed."""


class UnsafeAddress(ExportUnusable):
    """An address that is not https, or lies at another host than it may."""


class UnusableManifest(ExportUnusable):
    """The manifest lacks what it must have, or contradicts itself or the request."""


class UnsafeBlobName(UnusableManifest):
    """The name of a blob is not a plain file name."""


class DamagedBlob(ExportUnusable):
    """A blob is no gzip file, or not a whole one."""


class ExportTooLarge(ExportUnusable):
    """An answer or blob is over the limit for a file, packed or unpacked."""


class LandingInTheWay(ApportionError):
    """Landing is such that the export cannot be put there in one step."""
