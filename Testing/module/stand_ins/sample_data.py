"""The `SampleData` module: sample data sets registered by modules, copied from `file:` addresses and checked."""

# ruff: noqa: N802, N803, N815, RUF012

import hashlib
import shutil
import types
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import slicer


@dataclass
class SampleDataSource:
    """One registered data set."""

    sampleName: str
    uris: tuple[str, ...]
    fileNames: tuple[str | None, ...]
    nodeNames: tuple[str | None, ...]
    checksums: tuple[str | None, ...]
    loadFiles: tuple[bool | None, ...]
    loadFileTypes: tuple[str | None, ...]
    loadFileProperties: dict
    sampleDescription: str
    thumbnailFileName: str | None
    customDownloader: object


def _as_tuple(value, count: int) -> tuple:
    if isinstance(value, list | tuple):
        if len(value) != count:
            raise ValueError(f"Sample data: {count} addresses, but {len(value)} values in {value!r}.")
        return tuple(value)
    return (value,) * count


class SampleDataLogic:
    """Registers and fetches data sets. `cache` takes the files; a session sets it."""

    cache: Path | None = None
    sources: dict[str, list[SampleDataSource]] = {}

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
        loadFileType=None,
        loadFiles=None,
        loadFileProperties=None,
        checksums=None,
        sampleDescription="",
        loadFileTypes=None,
    ):
        """Register a data set, with lists of one length or single values. Its thumbnail must exist.

        `loadFileType` is the former name of `loadFileTypes`.
        """
        if loadFileType is not None and loadFileTypes is not None:
            raise ValueError("loadFileType and loadFileTypes can't both be given.")
        if thumbnailFileName is not None and not Path(thumbnailFileName).is_file():
            raise FileNotFoundError(f"Sample data {sampleName}: there is no thumbnail {thumbnailFileName}.")
        uris = tuple(uris) if isinstance(uris, list | tuple) else (uris,) if uris else ()
        count = max(1, len(uris))
        source = SampleDataSource(
            sampleName,
            uris,
            _as_tuple(fileNames, count),
            _as_tuple(nodeNames, count),
            _as_tuple(checksums, count),
            _as_tuple(loadFiles, count),
            _as_tuple(loadFileTypes or loadFileType, count),
            loadFileProperties or {},
            sampleDescription,
            thumbnailFileName,
            customDownloader,
        )
        SampleDataLogic.sources.setdefault(category, []).append(source)

    def sourceForSampleName(self, name):
        found = (s for sources in self.sources.values() for s in sources if s.sampleName == name)
        return next(found, None)

    def downloadSamples(self, name):
        """Fetch and load a data set. Returns what was loaded: nodes, or paths where nothing is loaded."""
        source = self.sourceForSampleName(name)
        if source is None:
            raise ValueError(f"There is no sample data named {name}.")
        if source.customDownloader is not None:
            return source.customDownloader(source)
        return self.downloadFromSource(source)

    def downloadSample(self, name):
        return self.downloadSamples(name)[0]

    def downloadFromSource(self, source):
        results = []
        parts = zip(
            source.uris,
            source.fileNames,
            source.nodeNames,
            source.checksums,
            source.loadFiles,
            source.loadFileTypes,
            strict=True,
        )
        for uri, file_name, node_name, checksum, load, file_type in parts:
            path = self.downloadFileIntoCache(uri, file_name, checksum)
            if load is False or (load is None and node_name is None):
                results.append(path)
                continue
            properties = dict(source.loadFileProperties)
            if node_name:
                properties["name"] = node_name
            results.append(slicer.util.loadNodeFromFile(path, file_type, properties))
        return results

    def downloadFileIntoCache(self, uri, name, checksum=None):
        """Copy a `file:` address's file. ValueError if its checksum, `SHA256:...`, is not as registered."""
        address = urlparse(uri)
        if address.scheme != "file":
            raise OSError(f"The tests have no network to fetch {uri} with.")
        target = self.cache / (name or Path(address.path).name)
        shutil.copyfile(url2pathname(address.path), target)
        if checksum:
            algorithm, _, digest = checksum.partition(":")
            if hashlib.new(algorithm.lower(), target.read_bytes()).hexdigest() != digest.lower():
                raise ValueError(f"{uri} doesn't have the checksum that it was registered with.")
        return str(target)


def make_sample_data(cache: Path) -> types.ModuleType:
    """The module, with no data set registered yet."""
    cache.mkdir(parents=True, exist_ok=True)
    SampleDataLogic.cache = cache
    SampleDataLogic.sources = {}
    module = types.ModuleType("SampleData", "A stand-in for Slicer's SampleData module.")
    module.SampleDataLogic, module.SampleDataSource = SampleDataLogic, SampleDataSource
    return module
