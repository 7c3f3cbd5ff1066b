"""The blob protocol of an upload session beside that of Azurite, Microsoft's own emulator.

usage: azurite.py PATH-OF-HOMEROOM PATH-OF-AZURITE-BLOB

One script of raw requests, signed with each server's own SAS, is sent to both. Statuses, error codes,
the headers that clients read, contents and lists have to be the same; what differs stands in DIFFERENT
with its reason. The witness fails on a difference that is not listed, and on a listed one that is none.
"""

import base64
import hashlib
import http.client
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode, urlsplit

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from homeroom import check, upload_session, witness

ACCOUNT = "devstoreaccount1"
# Azurite's well-known key, in its own documentation.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
VERSION = "2023-11-03"
BLOB = {"x-ms-blob-type": "BlockBlob"}
CSV = b"sourcedId,name\n1,North\n"


def md5(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def blocks(*ids, element="Latest"):
    return ("<?xml version='1.0' encoding='utf-8'?><BlockList>" + "".join(f"<{element}>{i}</{element}>" for i in ids) + "</BlockList>").encode()


def block(number):
    return {"comp": "block", "blockid": base64.b64encode(f"{number:06}".encode()).decode()}


ONE, TWO, THREE = (block(n)["blockid"] for n in (1, 2, 3))
LIST = {"restype": "container", "comp": "list"}
PAST, FUTURE = "Thu, 01 Jan 2015 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"

# Label, method, name, query, headers, body. "ETAG" stands for the ETag that the server gave a.csv last.
SCRIPT = [
    ("get what is not there", "GET", "none.csv", {}, {}, b""),
    ("head what is not there", "HEAD", "none.csv", {}, {}, b""),
    ("delete what is not there", "DELETE", "none.csv", {}, {}, b""),
    ("list an empty container", "GET", "", LIST, {}, b""),
    ("properties of the container", "GET", "", {"restype": "container"}, {}, b""),
    ("put without a type", "PUT", "a.csv", {}, {}, CSV),
    ("put", "PUT", "a.csv", {}, BLOB | {"x-ms-meta-via": "script", "Content-Type": "text/csv"}, CSV),
    ("put what is there", "PUT", "a.csv", {}, BLOB | {"If-None-Match": "*"}, CSV),
    ("put with another ETag", "PUT", "a.csv", {}, BLOB | {"If-Match": '"0x8D0000000000000"'}, CSV),
    ("put unless changed since long ago", "PUT", "a.csv", {}, BLOB | {"If-Unmodified-Since": PAST}, CSV),
    ("put if changed since the future", "PUT", "a.csv", {}, BLOB | {"If-Modified-Since": FUTURE}, CSV),
    ("put with a right MD5", "PUT", "b.csv", {}, BLOB | {"Content-MD5": md5(CSV)}, CSV),
    ("put with a wrong MD5", "PUT", "b.csv", {}, BLOB | {"Content-MD5": md5(b"")}, CSV),
    ("put nothing", "PUT", "empty.csv", {}, BLOB, b""),
    ("put with properties", "PUT", "c.csv", {}, BLOB | {
        "x-ms-blob-content-type": "text/plain", "x-ms-blob-content-encoding": "identity", "x-ms-blob-content-language": "en",
        "x-ms-blob-content-disposition": "attachment", "x-ms-blob-cache-control": "no-store"}, CSV),
    ("head", "HEAD", "a.csv", {}, {}, b""),
    ("head with properties", "HEAD", "c.csv", {}, {}, b""),
    ("get", "GET", "a.csv", {}, {}, b""),
    ("get with properties", "GET", "c.csv", {}, {}, b""),
    ("get the ETag that is there", "GET", "a.csv", {}, {"If-None-Match": "ETAG"}, b""),
    ("get another ETag", "GET", "a.csv", {}, {"If-Match": '"0x8D0000000000000"'}, b""),
    ("get by the ETag", "GET", "a.csv", {}, {"If-Match": "ETAG"}, b""),
    ("get if changed since the future", "GET", "a.csv", {}, {"If-Modified-Since": FUTURE}, b""),
    ("head if changed since long ago", "HEAD", "a.csv", {}, {"If-Modified-Since": PAST}, b""),
    ("get a range", "GET", "a.csv", {}, {"x-ms-range": "bytes=3-9"}, b""),
    ("get a range of HTTP", "GET", "a.csv", {}, {"Range": "bytes=3-"}, b""),
    ("get a range over the end", "GET", "a.csv", {}, {"x-ms-range": "bytes=0-33554431"}, b""),
    ("get a range with its MD5", "GET", "a.csv", {}, {"x-ms-range": "bytes=0-3", "x-ms-range-get-content-md5": "true"}, b""),
    ("get a range beyond the end", "GET", "a.csv", {}, {"x-ms-range": "bytes=99-"}, b""),
    ("get a range of nothing", "GET", "empty.csv", {}, {"x-ms-range": "bytes=0-33554431"}, b""),
    ("set metadata", "PUT", "a.csv", {"comp": "metadata"}, {"x-ms-meta-one": "1"}, b""),
    ("set metadata with another ETag", "PUT", "a.csv", {"comp": "metadata"}, {"x-ms-meta-two": "2", "If-Match": '"0x1"'}, b""),
    ("set metadata of what is not there", "PUT", "none.csv", {"comp": "metadata"}, {"x-ms-meta-one": "1"}, b""),
    ("get metadata", "GET", "a.csv", {"comp": "metadata"}, {}, b""),
    ("set properties", "PUT", "a.csv", {"comp": "properties"}, {"x-ms-blob-content-type": "text/html"}, b""),
    ("head what was set", "HEAD", "a.csv", {}, {}, b""),
    ("put a block", "PUT", "d.csv", block(1), {}, b"one,"),
    ("put a block with a right MD5", "PUT", "d.csv", block(2), {"Content-MD5": md5(b"two,")}, b"two,"),
    ("put a block with a wrong MD5", "PUT", "d.csv", block(3), {"Content-MD5": md5(b"two,")}, b"three,"),
    ("put a block with an id of another length", "PUT", "d.csv", {"comp": "block", "blockid": "MQ=="}, {}, b"x"),
    ("put a block with no id", "PUT", "d.csv", {"comp": "block"}, {}, b"x"),
    ("put a block with an id that is no base64", "PUT", "d.csv", {"comp": "block", "blockid": "*"}, {}, b"x"),
    ("get what has only blocks", "GET", "d.csv", {}, {}, b""),
    ("list of blocks before the commit", "GET", "d.csv", {"comp": "blocklist", "blocklisttype": "all"}, {}, b""),
    ("commit an unknown block", "PUT", "d.csv", {"comp": "blocklist"}, {}, blocks(ONE, THREE)),
    ("commit what is no XML", "PUT", "d.csv", {"comp": "blocklist"}, {}, b"<BlockList>"),
    ("commit", "PUT", "d.csv", {"comp": "blocklist"}, {"x-ms-blob-content-type": "text/csv"}, blocks(TWO, ONE)),
    ("get what was committed", "GET", "d.csv", {}, {}, b""),
    ("list of blocks after the commit", "GET", "d.csv", {"comp": "blocklist", "blocklisttype": "all"}, {}, b""),
    ("put a block again", "PUT", "d.csv", block(1), {}, b"ONE,"),
    ("commit old and new blocks", "PUT", "d.csv", {"comp": "blocklist"}, {}, blocks(ONE, TWO)),
    ("get old and new blocks", "GET", "d.csv", {}, {}, b""),
    ("commit only committed blocks", "PUT", "d.csv", {"comp": "blocklist"}, {}, blocks(TWO, element="Committed")),
    ("get only committed blocks", "GET", "d.csv", {}, {}, b""),
    ("commit what is there", "PUT", "d.csv", {"comp": "blocklist"}, {"If-None-Match": "*"}, blocks(TWO)),
    ("commit nothing", "PUT", "e.csv", {"comp": "blocklist"}, {}, blocks()),
    ("a block that is never committed", "PUT", "f.csv", block(1), {}, b"one,"),
    ("list", "GET", "", LIST, {}, b""),
    ("list a prefix", "GET", "", LIST | {"prefix": "e"}, {}, b""),
    ("list with a delimiter", "GET", "", LIST | {"delimiter": "."}, {}, b""),
    ("list two", "GET", "", LIST | {"maxresults": "2"}, {}, b""),
    ("list with metadata", "GET", "", LIST | {"include": "metadata", "prefix": "a"}, {}, b""),
    ("list what is not committed", "GET", "", LIST | {"include": "uncommittedblobs", "prefix": "f"}, {}, b""),
    ("list no results", "GET", "", LIST | {"maxresults": "0"}, {}, b""),
    ("make the container", "PUT", "", {"restype": "container"}, {}, b""),
    ("delete by another ETag", "DELETE", "a.csv", {}, {"If-Match": '"0x1"'}, b""),
    ("delete", "DELETE", "a.csv", {}, {}, b""),
    ("delete again", "DELETE", "a.csv", {}, {}, b""),
    ("a method that is none", "POST", "a.csv", {}, {}, b""),
    ("a signature that is none", "GET", "b.csv", {"sig": "AAAA"}, {}, b""),
    ("an expiry that was not signed", "GET", "b.csv", {"se": "2099-01-01T00:00:00Z"}, {}, b""),
    ("no signature", "GET", "b.csv", {"sig": None}, {}, b""),
]

# Headers whose value has to be the same, and headers of which only the shape can be.
SAME = ["accept-ranges", "cache-control", "content-disposition", "content-encoding", "content-language", "content-length", "content-md5",
        "content-range", "content-type", "x-ms-blob-content-length", "x-ms-blob-content-md5", "x-ms-blob-type", "x-ms-client-request-id",
        "x-ms-error-code", "x-ms-lease-state", "x-ms-lease-status", "x-ms-request-server-encrypted", "x-ms-server-encrypted"]
SHAPED = {
    "etag": r'"[^"]+"',
    "last-modified": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "date": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "x-ms-creation-time": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "x-ms-request-id": r"[0-9a-f-]{36}",
    "x-ms-version": r"\d{4}-\d\d-\d\d",
}

# What Azurite's generated layer refuses with a bare 400, without the body and headers of its other errors.
BARE = ["put without a type", "put a block with no id", "commit what is no XML", "list no results", "a method that is none"]
CALCULATED = "Azurite calculates the hash of a blob of blocks; Azure has none, and Homeroom keeps what the client says"
TIERS = "there are no access tiers"
ENCRYPTED = "whether the disk is encrypted is the operator's business; no client asks"
NOT_FOUND_PAGE = "a HEAD says the content type of the error that a GET would get"
SIGNED = "Azure's code for a wrong signature is AuthenticationFailed, and its SDKs make an error class of it"
HASHES = "Azure's code is Md5Mismatch"
OPEN = "the SDKs ask for a container's properties to see whether it is there; a session URL may see that"
MADE = "the container is there: who makes it unless it exists may go on"
UNCOMMITTED = "a blob that is not committed has no properties yet"
PROPERTIES = "/EnumerationResults/Blobs/Blob/Properties"
BODY_OF_METADATA = "Azurite sends the whole blob with its metadata; Azure sends no body"

# (label, aspect) → reason. Labels "*": all requests; "errors": those that both refuse; "bare": those of BARE.
DIFFERENT = {
    ("errors", "x-ms-client-request-id"): "Azurite leaves it out of errors; Azure does not",
    ("errors", "x-ms-version"): "Azurite leaves it out of errors; Azure does not",
    ("bare", "body"): "Azurite refuses it without a word",
    ("bare", "content-length"): "Azurite refuses it without a word",
    ("bare", "content-type"): "Azurite refuses it without a word",
    ("bare", "x-ms-error-code"): "Azurite refuses it without a word",
    ("bare", "x-ms-request-id"): "Azurite refuses it without a word",
    ("a method that is none", "status"): "Azure answers 405",
    ("*", "x-ms-request-server-encrypted"): ENCRYPTED,
    ("*", "x-ms-server-encrypted"): ENCRYPTED,
    ("head what is not there", "content-type"): NOT_FOUND_PAGE,
    ("head what is not there", "content-length"): "hyper says the length of the body of a HEAD, which is none",
    ("put with a wrong MD5", "body"): HASHES,
    ("put with a wrong MD5", "x-ms-error-code"): HASHES,
    ("put a block with a wrong MD5", "body"): HASHES,
    ("put a block with a wrong MD5", "x-ms-error-code"): HASHES,
    ("put a block with a right MD5", "content-md5"): "Azure says again what it has checked",
    ("get", "x-ms-blob-content-md5"): "for ranges; without one it is Content-MD5",
    ("get with properties", "x-ms-blob-content-md5"): "for ranges; without one it is Content-MD5",
    ("get by the ETag", "x-ms-blob-content-md5"): "for ranges; without one it is Content-MD5",
    ("get the ETag that is there", "etag"): "RFC 9110 §15.4.5 wants it in a 304",
    ("get the ETag that is there", "last-modified"): "it comes with the ETag",
    ("get the ETag that is there", "content-type"): "a 304 has no body",
    ("get if changed since the future", "etag"): "RFC 9110 §15.4.5 wants it in a 304",
    ("get if changed since the future", "last-modified"): "it comes with the ETag",
    ("get if changed since the future", "content-type"): "a 304 has no body",
    ("properties of the container", "status"): OPEN,
    ("properties of the container", "body"): OPEN,
    ("properties of the container", "content-length"): OPEN,
    ("properties of the container", "content-type"): OPEN,
    ("properties of the container", "x-ms-error-code"): OPEN,
    ("properties of the container", "x-ms-lease-state"): OPEN,
    ("properties of the container", "x-ms-lease-status"): OPEN,
    ("properties of the container", "x-ms-client-request-id"): OPEN,
    ("properties of the container", "x-ms-version"): OPEN,
    ("make the container", "status"): MADE,
    ("make the container", "body"): MADE,
    ("make the container", "x-ms-error-code"): MADE,
    ("get metadata", "body"): BODY_OF_METADATA,
    ("get metadata", "accept-ranges"): BODY_OF_METADATA,
    ("get metadata", "content-length"): BODY_OF_METADATA,
    ("get metadata", "content-md5"): BODY_OF_METADATA,
    ("get metadata", "content-type"): BODY_OF_METADATA,
    ("get metadata", "x-ms-blob-content-md5"): BODY_OF_METADATA,
    ("get metadata", "x-ms-blob-type"): BODY_OF_METADATA,
    ("get metadata", "x-ms-creation-time"): BODY_OF_METADATA,
    ("get metadata", "x-ms-lease-state"): BODY_OF_METADATA,
    ("get metadata", "x-ms-lease-status"): BODY_OF_METADATA,
    ("list of blocks before the commit", "etag"): UNCOMMITTED,
    ("list of blocks before the commit", "last-modified"): UNCOMMITTED,
    ("get what was committed", "content-md5"): CALCULATED,
    ("get old and new blocks", "content-md5"): CALCULATED,
    ("get only committed blocks", "content-md5"): CALCULATED,
    ("*", f"xml {PROPERTIES}/AccessTier"): TIERS,
    ("*", f"xml {PROPERTIES}/AccessTierChangeTime"): TIERS,
    ("*", f"xml {PROPERTIES}/AccessTierInferred"): TIERS,
    ("*", f"xml {PROPERTIES}/ServerEncrypted"): ENCRYPTED,
    ("list what is not committed", f"xml {PROPERTIES}/Creation-Time"): UNCOMMITTED,
    ("list what is not committed", f"xml {PROPERTIES}/Etag"): UNCOMMITTED,
    ("list what is not committed", f"xml {PROPERTIES}/Last-Modified"): UNCOMMITTED,
    ("list what is not committed", f"xml {PROPERTIES}/LeaseState"): UNCOMMITTED,
    ("list what is not committed", f"xml {PROPERTIES}/LeaseStatus"): UNCOMMITTED,
    ("list two", "xml /EnumerationResults/NextMarker"): "a marker is the server's own",
    ("a signature that is none", "body"): SIGNED,
    ("a signature that is none", "x-ms-error-code"): SIGNED,
    ("an expiry that was not signed", "body"): SIGNED,
    ("an expiry that was not signed", "x-ms-error-code"): SIGNED,
    ("no signature", "body"): SIGNED,
    ("no signature", "x-ms-error-code"): SIGNED,
}


class Server:
    """A container of one of the two, and the ETag of a.csv in it."""

    def __init__(self, url):
        self.url = urlsplit(url)
        self.etag = None

    def send(self, method, name, query, headers, body):
        changed = {k: v for k, v in query.items() if v is not None}
        sas = "&".join(part for part in self.url.query.split("&") if part.split("=")[0] not in query)
        path = self.url.path + (f"/{name}" if name else "") + "?" + "&".join(filter(None, [urlencode(changed), sas]))
        headers = {"x-ms-version": VERSION, "x-ms-client-request-id": "script"} | headers
        headers = {k: self.etag if v == "ETAG" else v for k, v in headers.items()}
        connection = http.client.HTTPConnection(self.url.netloc, timeout=30)
        try:
            connection.request(method, path, body=body if method == "PUT" else None, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        found = {k.lower(): v for k, v in answer.getheaders()}
        if name == "a.csv" and "etag" in found:
            self.etag = found["etag"]
        return answer.status, found, content


def shown(text):
    """Times and ETags as what they are."""
    for pattern, name in [(SHAPED["date"], "TIME"), (r"0x[0-9A-Fa-f-]+", "ETAG")]:
        text = re.sub(pattern, name, text)
    return text


def of_xml(element, path=""):
    """What an XML document says, without what the two cannot have in common."""
    here = f"{path}/{element.tag}"
    said = [f"{here}={shown((element.text or '').strip())}"] if (element.text or "").strip() or not len(element) else []
    return said + [line for child in element for line in of_xml(child, here)]


def aspects(method, status, headers, content):
    """What of an answer is compared, by name."""
    found = {"status": status}
    for name in SAME:
        found[name] = headers.get(name)
    for name, shape in SHAPED.items():
        value = headers.get(name)
        found[name] = None if value is None else bool(re.fullmatch(shape, value)) or value
    found |= {name: value for name, value in headers.items() if name.startswith("x-ms-meta-")}
    kind = (headers.get("content-type") or "").split(";")[0]
    found["content-type"] = kind or None
    if kind == "application/xml" and content:
        document = ElementTree.fromstring(content)
        # Texts of errors are for people, and lists have a length of their own.
        found["content-length"] = None
        if document.tag == "Error":
            found["body"] = document.findtext("Code")
        else:
            found |= {f"xml {line.split('=')[0]}": [] for line in of_xml(document)}
            for line in of_xml(document):
                name, _, value = line.partition("=")
                found[f"xml {name}"].append(value)
    elif method != "HEAD":
        found["body"] = content
    return found


def compare(homeroom, azurite):
    """The differences, by label and aspect, and the key of their reason when there is one."""
    differences = {}
    for label, method, name, query, headers, body in SCRIPT:
        ours, theirs = (aspects(method, *server.send(method, name, query, headers, body)) for server in (homeroom, azurite))
        groups = [label, "bare" if label in BARE else None, "errors" if min(ours["status"], theirs["status"]) >= 300 else None, "*"]
        for aspect in sorted(ours.keys() | theirs.keys()):
            if ours.get(aspect) != theirs.get(aspect):
                key = next(((group, aspect) for group in groups if (group, aspect) in DIFFERENT), None)
                differences[label, aspect] = (key, ours.get(aspect), theirs.get(aspect))
    return differences


def judge(differences):
    for (label, aspect), (key, ours, theirs) in differences.items():
        if key is None:
            print(f"  NOT LISTED: {label}: {aspect}: Homeroom {ours!r}, Azurite {theirs!r}")
    unlisted = sum(key is None for key, _, _ in differences.values())
    check(f"{len(SCRIPT)} requests are answered alike, but for what is listed", not unlisted, unlisted)
    unused = DIFFERENT.keys() - {key for key, _, _ in differences.values()}
    check("what is listed as different is different", not unused, unused)
    print(f"  {len(differences)} differences for {len(set(DIFFERENT.values()))} reasons")


def azurite_container(base):
    client = BlobServiceClient(f"{base}/{ACCOUNT}", credential=KEY, api_version=VERSION)
    client.create_container("box")
    sas = generate_container_sas(
        ACCOUNT,
        "box",
        account_key=KEY,
        permission=ContainerSasPermissions(read=True, write=True, delete=True, list=True, create=True),
        expiry=datetime.now(timezone.utc) + timedelta(hours=1),
    )
    return Server(f"{base}/{ACCOUNT}/box?{sas}")


@contextmanager
def emulating(emulator):
    """Azurite on a free port, as its origin."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--location", folder, "--blobPort", "0", "--disableTelemetry", "--skipApiVersionCheck"]
        process = subprocess.Popen([emulator, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = []
        try:
            for line in process.stdout:
                said.append(line)
                if found := re.search(r"listen(?:s|ing)(?: at)?(?: on)? (http://\S+)", line):
                    break
            else:
                sys.exit(f"FAILED: Azurite ended with {process.wait(20)} before it listened. It said: {''.join(said) or 'nothing'}")
            yield found.group(1)
        finally:
            process.terminate()
            process.wait(20)


async def job(session):
    homeroom = Server((await upload_session(session))["sessionUrl"])
    with emulating(sys.argv[2]) as base:
        judge(compare(homeroom, azurite_container(base)))


if __name__ == "__main__":
    witness(job)
