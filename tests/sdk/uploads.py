"""Upload sessions, used by Microsoft's storage SDKs for Python as they are.

usage: uploads.py PATH-OF-HOMEROOM

azure-storage-blob and azure-storage-file-datalake get the sessionUrl and nothing else, and do all that
their users do around an upload: small, large and parallel ones, streams, lists, ranges, properties,
metadata, conditions, renaming, validation of content by MD5 and CRC-64.
"""

import asyncio
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, ContainerClient, ContentSettings
from azure.storage.blob.aio import ContainerClient as AsyncContainerClient
from azure.storage.filedatalake import DataLakeDirectoryClient, DataLakeFileClient, FileSystemClient
from azure.storage.filedatalake import ContentSettings as LakeSettings
from homeroom import check, upload_session, witness

CSV = b"sourcedId,name\n" + b"".join(b"%06d,School %d\n" % (n, n) for n in range(20_000))
# In blocks of the sizes that the SDKs choose themselves.
LARGE = bytes(range(256)) * (70 * 1024 * 1024 // 256)


def same(content, wanted):
    """Without the contents in the report when they are not."""
    return hashlib.sha256(content).digest() == hashlib.sha256(wanted).digest()


def refused(what, kind, call, code=None):
    try:
        call()
    except kind as error:
        check(what, code is None or error.error_code == code, getattr(error, "error_code", error))
    else:
        check(what, False, "no error")


def blobs(url):
    container = ContainerClient.from_container_url(url)
    check("the container is there", container.exists() and container.get_container_properties() is not None)
    blob = container.get_blob_client("schools.csv")
    check("nothing is there at first", not blob.exists() and not list(container.list_blobs()))

    made = blob.upload_blob(CSV, metadata={"via": "witness"}, content_settings=ContentSettings(content_type="text/csv", content_language="en"))
    check("a small file", made["etag"] and made["last_modified"] and made["content_md5"] == hashlib.md5(CSV).digest(), made)
    refused("a file is not replaced unasked", ResourceExistsError, lambda: blob.upload_blob(b"x"), "BlobAlreadyExists")
    check("its content", blob.download_blob().readall() == CSV)
    check("a range of it", blob.download_blob(offset=15, length=100).readall() == CSV[15:115])
    check("the end of it", blob.download_blob(offset=len(CSV) - 5).readall() == CSV[-5:])
    seen = blob.get_blob_properties()
    settings = seen.content_settings
    check(
        "its properties",
        seen.size == len(CSV)
        and seen.etag == made["etag"]
        and seen.creation_time
        and seen.metadata == {"via": "witness"}
        and (settings.content_type, settings.content_language) == ("text/csv", "en")
        and settings.content_md5 == hashlib.md5(CSV).digest(),
        seen,
    )
    blob.set_blob_metadata({"one": "1", "two": "2"})
    check("other metadata", blob.get_blob_properties().metadata == {"one": "1", "two": "2"})
    blob.set_http_headers(ContentSettings(content_type="text/plain"))
    seen = blob.get_blob_properties()
    check("another type", seen.content_settings.content_type == "text/plain" and seen.metadata["one"] == "1", seen)
    refused(
        "a change of what has changed is refused",
        ResourceModifiedError,
        lambda: blob.upload_blob(b"x", overwrite=True, etag=made["etag"], match_condition=MatchConditions.IfNotModified),
        "ConditionNotMet",
    )
    check("a change of what has not", blob.upload_blob(b"x", overwrite=True, etag=seen.etag, match_condition=MatchConditions.IfNotModified))
    check("an empty file", container.upload_blob("empty.csv", b"").download_blob().readall() == b"")

    # Blocks: small ones by several threads, a stream of unknown length, and those of the defaults.
    small = ContainerClient.from_container_url(url, max_single_put_size=1024, max_block_size=4096, max_single_get_size=8192, max_chunk_get_size=4096)
    many = small.get_blob_client("many.csv")
    many.upload_blob(CSV, max_concurrency=8)
    check("a file in many blocks at once", many.download_blob(max_concurrency=8).readall() == CSV)
    committed, waiting = many.get_block_list("all")
    check("the list of its blocks", sum(b.size for b in committed) == len(CSV) and not waiting, len(committed))
    streamed = small.get_blob_client("streamed.csv")
    streamed.upload_blob(line + b"\n" for line in CSV.splitlines())
    check("a file from a generator", streamed.download_blob().readall() == CSV)
    large = container.get_blob_client("large.zip")
    large.upload_blob(LARGE, max_concurrency=4)
    check("70 MiB by the SDK's own sizes", large.get_blob_properties().size == len(LARGE))
    check("… and back", same(large.download_blob(max_concurrency=4).readall(), LARGE))
    own = container.get_blob_client("own.csv")
    own.stage_block("001", b"one,")
    own.stage_block("002", b"two,", validate_content=True)
    own.commit_block_list([BlobBlock("002"), BlobBlock("001")], content_settings=ContentSettings(content_type="text/csv"))
    own.stage_block("003", b"three,")
    committed, waiting = own.get_block_list("all")
    check("blocks of one's own", [b.id for b in committed] == ["002", "001"] and [b.id for b in waiting] == ["003"], (committed, waiting))
    own.commit_block_list([BlobBlock("001"), BlobBlock("003")])
    check("… and what is kept of the file before", own.download_blob().readall() == b"one,three,")
    refused("a list with a block that is not there", HttpResponseError, lambda: own.commit_block_list([BlobBlock("009")]), "InvalidBlockList")

    # Validation of content.
    for kind in (True, "crc64"):
        valid = container.get_blob_client(f"valid-{kind}.csv")
        valid.upload_blob(CSV, validate_content=kind)
        check(f"validated by {kind}", valid.download_blob(validate_content=kind).readall() == CSV)
        valid = small.get_blob_client(f"valid-blocks-{kind}.csv")
        valid.upload_blob(io.BytesIO(CSV), validate_content=kind, max_concurrency=4)
        check("… in blocks of a stream", valid.download_blob(validate_content=kind).readall() == CSV)
    whole = container.get_blob_client("valid-stream.csv")
    whole.upload_blob(io.BytesIO(CSV), validate_content="crc64")
    check("… in one stream", whole.download_blob(validate_content="crc64").readall() == CSV)

    # Lists.
    names = sorted(b.name for b in container.list_blobs())
    check("the list", {"schools.csv", "many.csv", "large.zip"} < set(names), names)
    check("… of a prefix", [b.name for b in container.list_blobs(name_starts_with="s")] == ["schools.csv", "streamed.csv"])
    pages = [[b.name for b in page] for page in container.list_blobs(results_per_page=2).by_page()]
    check("… in pages", sorted(sum(pages, [])) == names and all(len(page) <= 2 for page in pages), pages)
    listed = next(b for b in container.list_blobs(include=["metadata"]) if b.name == "own.csv")
    check("an entry of it", listed.size == 10 and listed.blob_type == "BlockBlob" and listed.etag == own.get_blob_properties().etag.strip('"'), listed)
    check("a walk", sorted(b.name for b in container.walk_blobs()) == names)

    # The end.
    check("deleted", blob.delete_blob() is None and not blob.exists())
    refused("deleted twice", ResourceNotFoundError, blob.delete_blob, "BlobNotFound")
    refused("read after that", ResourceNotFoundError, lambda: blob.download_blob(), "BlobNotFound")
    wrong = ContainerClient.from_container_url(url.replace("sig=", "sig=A"))
    refused("a signature that is none", ClientAuthenticationError, lambda: wrong.upload_blob("a.csv", b"x"), "AuthenticationFailed")
    refused("a name that is none", HttpResponseError, lambda: container.upload_blob("a/b.csv", b"x"), "InvalidUri")
    refused("a name in other capitals", ResourceExistsError, lambda: container.upload_blob("Own.csv", b"x"), "BlobAlreadyExists")
    for name in names:
        if name != "schools.csv":
            container.delete_blob(name)


async def async_blobs(url):
    async with AsyncContainerClient.from_container_url(url, max_single_put_size=1024, max_block_size=4096) as container:
        await asyncio.gather(*(container.upload_blob(f"{n}.csv", CSV, max_concurrency=4) for n in range(4)))

        async def read(name):
            return await (await container.download_blob(name)).readall()

        contents = await asyncio.gather(*(read(f"{n}.csv") for n in range(4)))
        check("four files at once by the asynchronous client", contents == [CSV] * 4)
        async for blob in container.list_blobs():
            await container.delete_blob(blob.name)


def lake(url):
    parts = urlsplit(url)
    account, sas = f"{parts.scheme}://{parts.netloc}", parts.query
    tenant, folder = parts.path.strip("/").split("/", 1)

    def file(name, **options):
        return DataLakeFileClient(account, tenant, f"{folder}/{name}", credential=sas, **options)

    schools = file("schools.csv")
    check("nothing is there at first", not schools.exists())
    schools.create_file(content_settings=LakeSettings(content_type="text/csv"), metadata={"via": "witness"})
    schools.append_data(CSV[1000:], 1000)
    schools.append_data(CSV[:1000], 0, validate_content=True)
    flushed = schools.flush_data(len(CSV), close=True)
    check("created, appended out of order, flushed", flushed["etag"] and schools.download_file().readall() == CSV, flushed)
    check("a range of it", schools.download_file(offset=15, length=100).readall() == CSV[15:115])
    seen = schools.get_file_properties()
    check(
        "its properties",
        seen.size == len(CSV) and seen.metadata == {"via": "witness"} and seen.content_settings.content_type == "text/csv" and seen.etag == flushed["etag"],
        seen,
    )
    refused("a file is not replaced unasked", ResourceExistsError, lambda: schools.upload_data(b"x"), "PathAlreadyExists")
    check("upload_data in its place", schools.upload_data(CSV, overwrite=True) and schools.download_file().readall() == CSV)
    check("upload_data of a new file", file("new.csv").upload_data(CSV[:10]) and file("new.csv").download_file().readall() == CSV[:10])
    many = file("many.csv")
    many.upload_data(CSV, overwrite=True, chunk_size=4096, max_concurrency=8)
    check("a file in many appends at once", many.download_file().readall() == CSV)
    large = file("large.zip")
    large.upload_data(LARGE, overwrite=True, chunk_size=8 * 1024 * 1024, max_concurrency=4)
    check("70 MiB, at once", same(large.download_file().readall(), LARGE))
    valid = file("valid.csv")
    valid.upload_data(CSV, overwrite=True, validate_content="crc64")
    check("validated by CRC-64", valid.download_file(validate_content="crc64").readall() == CSV)
    schools.set_metadata({"one": "1"})
    schools.set_http_headers(LakeSettings(content_type="text/plain"))
    seen = schools.get_file_properties()
    check("other metadata and another type", seen.metadata == {"one": "1"} and seen.content_settings.content_type == "text/plain", seen)
    gap = file("gap.csv")
    gap.create_file()
    gap.append_data(b"xyz", 10)
    refused("a flush over a gap", HttpResponseError, lambda: gap.flush_data(13), "InvalidFlushPosition")

    renamed = schools.rename_file(f"{tenant}/{folder}/orgs.csv")
    check("renamed", renamed.download_file().readall() == CSV and not schools.exists() and renamed.get_file_properties().metadata == {"one": "1"})
    refused("renamed again", HttpResponseError, lambda: schools.rename_file(f"{tenant}/{folder}/users.csv"))

    system = FileSystemClient(account, tenant, credential=sas)
    listed = {p.name: p for p in system.get_paths(path=folder)}
    check("the list", f"{folder}/orgs.csv" in listed and listed[f"{folder}/orgs.csv"].content_length == len(CSV), listed.keys())
    pages = [[p.name for p in page] for page in system.get_paths(path=folder, max_results=2).by_page()]
    check("… in pages", sorted(sum(pages, [])) == sorted(listed), pages)
    directory = DataLakeDirectoryClient(account, tenant, folder, credential=sas)
    check("the folder is there", directory.exists() and directory.get_directory_properties())
    check("a file by its folder", directory.get_file_client("orgs.csv").download_file().readall() == CSV)
    for name in listed:
        system.delete_file(name)
    check("deleted", not list(system.get_paths(path=folder)))


def documented(url):
    """The scripts of docs/uploads.md, as their readers run them."""
    page = (Path(__file__).parent / "../../docs/uploads.md").read_text()
    scripts = re.findall(r"^```(python|sh)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    check("the page has scripts", [language for language, _ in scripts] == ["python", "sh", "sh", "sh"])
    container = ContainerClient.from_container_url(url)
    for language, script in scripts:
        with tempfile.TemporaryDirectory() as folder:
            files = {"orgs.csv": CSV, "large.csv": CSV * 40} if "large.csv" in script else {"orgs.csv": CSV}
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            runs = [sys.executable, "-c", script] if language == "python" else ["bash", "-euc", script]
            subprocess.run(runs, cwd=folder, env=os.environ | {"SESSION_URL": url}, check=True, stdout=subprocess.DEVNULL)
            name = "large.csv" if "large.csv" in files else "orgs.csv"
            check(f"documented: {script.splitlines()[0]} …", same(container.download_blob(name).readall(), files[name]))
            container.delete_blob(name)


async def job(session):
    opened = await upload_session(session)
    url = opened["sessionUrl"]
    await asyncio.to_thread(blobs, url)
    await async_blobs(url)
    await asyncio.to_thread(lake, url)
    await asyncio.to_thread(documented, url)
    ContainerClient.from_container_url(url).upload_blob("left.csv", CSV)
    again = await upload_session(session, connector=opened["connector"])
    check("the open session is given again", again["containerId"] == opened["containerId"], again)
    reset = await upload_session(session, reset=True, connector=opened["connector"])
    check("a reset one is another and empty", reset["containerId"] != opened["containerId"], reset)
    check("… as its list says", not list(ContainerClient.from_container_url(reset["sessionUrl"]).list_blobs()))
    refused(
        "the one before takes nothing any more",
        ResourceNotFoundError,
        lambda: ContainerClient.from_container_url(url).upload_blob("late.csv", b"x"),
        "ContainerNotFound",
    )


witness(job)
