"""Upload sessions, used by AzCopy as it is.

usage: azcopy.py PATH-OF-HOMEROOM PATH-OF-AZCOPY PATH-OF-AZURITE-BLOB

Microsoft's program gets the sessionUrl, over TLS with the local authority, and does what its users do around an upload:
files, folders, blocks, hashes, what is newer, lists, synchronization, removal, reading back; by both protocols, and by a
name of the host as by an address, which it takes for another kind of URL. The same script is run against Azurite.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
import homeroom as shared
from azurite import ACCOUNT, KEY, VERSION, emulating
from homeroom import check

ORGS = b"sourcedId,name\n1,North\n"
USERS = b"sourcedId,username\n1,ada\n2,zo\xc3\xab\n"
# Twenty blocks of a mebibyte, and a bit.
LARGE = bytes(range(256)) * 4096 * 20 + b"end"


class Place:
    """Where AzCopy copies to: a folder of its idea, with a credential."""

    def __init__(self, program, url, folder, authority=None):
        self.program, (self.path, self.credential) = program, url.split("?", 1)
        logs = {name: str(folder) for name in ("HOME", "AZCOPY_LOG_LOCATION", "AZCOPY_JOB_PLAN_LOCATION")}
        kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.environment = kept | logs | {"AZCOPY_DISABLE_SYSLOG": "true"} | ({"SSL_CERT_FILE": str(authority)} if authority else {})

    def at(self, name=""):
        return f"{self.path}{'/' if name else ''}{name}?{self.credential}"

    def azcopy(self, *arguments):
        """Exit code, and the messages of its JSON output."""
        options = ["--output-type", "json", "--output-level", "default", "--skip-version-check"]
        done = subprocess.run([self.program, *arguments, *options], env=self.environment, capture_output=True, text=True, timeout=300)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return done.returncode, [(line["MessageType"], line["MessageContent"]) for line in lines]

    def job(self, *arguments):
        """How a job ended: exit code, and how many transfers completed, were skipped, failed."""
        code, messages = self.azcopy(*arguments)
        ends = [json.loads(content) for kind, content in messages if kind == "EndOfJob"]
        if not ends:
            return code, messages
        end = ends[-1]
        return code, *(int(end[f"Transfers{how}"]) for how in ("Completed", "Skipped", "Failed"))

    def names(self, location):
        code, messages = self.azcopy("list", self.at(), "--location", location)
        if code:
            return code, messages
        listed = [json.loads(content) for kind, content in messages if kind == "ListObject"]
        return {one["Path"]: one["ContentLength"] for one in listed if one["Path"] != "/"}


def script(place, kind, local):
    """What a user does, step by step, as (step, what came of it)."""
    to, trash, location = f"Local{kind}", f"{kind}Trash", kind
    folder = local / "export"
    folder.mkdir()
    (folder / "orgs.csv").write_bytes(ORGS)
    (folder / "users.csv").write_bytes(USERS)
    (local / "large.csv").write_bytes(LARGE)
    back = local / "back"
    back.mkdir()

    yield "one file", place.job("copy", str(folder / "orgs.csv"), place.at("orgs.csv"), "--from-to", to)
    yield "all files of a folder", place.job("copy", f"{folder}/*", place.at(), "--from-to", to)
    yield "a folder's content", place.job("copy", str(folder), place.at(), "--from-to", to, "--recursive", "--as-subdir=false")
    large = ["copy", str(local / "large.csv"), place.at("large.csv"), "--from-to", to, "--block-size-mb", "1", "--put-md5"]
    yield "a large file in blocks, with its MD5", place.job(*large)
    yield "the list", place.names(location)
    newer = ["copy", f"{folder}/*", place.at(), "--from-to", to, "--overwrite", "ifSourceNewer"]
    yield "nothing is newer", place.job(*newer)
    # Times are compared in seconds.
    later = time.time() + 60
    os.utime(folder / "users.csv", (later, later))
    yield "one file is newer", place.job(*newer)
    os.utime(folder / "users.csv")
    yield "nothing is overwritten", place.job("copy", f"{folder}/*", place.at(), "--from-to", to, "--overwrite", "false")
    download = ["copy", place.at("large.csv"), str(back / "large.csv"), "--from-to", f"{kind}Local", "--check-md5", "FailIfDifferentOrMissing"]
    yield "read back with its MD5", (place.job(*download), (back / "large.csv").exists() and (back / "large.csv").read_bytes() == LARGE)
    yield "one file removed", place.job("remove", place.at("large.csv"), "--from-to", trash)
    (folder / "users.csv").write_bytes(USERS + b"3,tim\n")
    os.utime(folder / "users.csv", (later, later))
    (folder / "roles.csv").write_bytes(b"a\n")
    (folder / "orgs.csv").unlink()
    sync = ["sync", str(folder), place.at(), "--from-to", to, "--delete-destination", "true"]
    yield "synchronized", place.job(*sync)[0]
    yield "the list of what is in step", place.names(location)


WANTED = {
    "one file": (0, 1, 0, 0),
    "all files of a folder": (0, 2, 0, 0),
    "a folder's content": (0, 2, 0, 0),
    "a large file in blocks, with its MD5": (0, 1, 0, 0),
    "the list": {"large.csv": "20.00 MiB", "orgs.csv": f"{len(ORGS)}.00 B", "users.csv": f"{len(USERS)}.00 B"},
    "nothing is newer": (0, 0, 2, 0),
    "one file is newer": (0, 1, 1, 0),
    "nothing is overwritten": (0, 0, 2, 0),
    "read back with its MD5": ((0, 1, 0, 0), True),
    "one file removed": (0, 1, 0, 0),
    "synchronized": 0,
    "the list of what is in step": {"roles.csv": "2.00 B", "users.csv": f"{len(USERS) + 6}.00 B"},
}
# The Data Lake has folders, which count.
FOLDERS = {"a folder's content": (0, 3, 0, 0)}


def run(what, place, kind):
    wanted = WANTED | (FOLDERS if kind == "BlobFS" else {})
    with tempfile.TemporaryDirectory() as local:
        for step, outcome in script(place, kind, Path(local)):
            check(f"{what}: {step}", outcome == wanted[step], outcome)


def beyond(place, local):
    """What a session does not have, and what AzCopy has for pipes."""
    (local / "in").mkdir()
    (local / "in" / "orgs.csv").write_bytes(ORGS)
    outcome = place.job("copy", str(local / "in"), place.at(), "--from-to", "LocalBlob", "--recursive")
    check("a folder as a folder is refused, for there are none", outcome == (1, 0, 0, 1), outcome)
    command = [place.program, "copy", place.at("piped.csv"), "--from-to", "PipeBlob", "--skip-version-check"]
    piped = subprocess.run(command, input=USERS, env=place.environment, capture_output=True, timeout=60)
    check("from a pipe", piped.returncode == 0 and place.names("Blob").get("piped.csv") == f"{len(USERS)}.00 B", piped.stdout)
    outcome = place.job("remove", place.at(), "--from-to", "BlobTrash", "--recursive")
    check("everything removed", outcome[0] == 0 and place.names("Blob") == {}, outcome)


def documented(place, local):
    """The script of docs/uploads.md, as its readers run it."""
    page = (Path(__file__).parent / "../../docs/uploads.md").read_text()
    [script] = re.findall(r"^```bash\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (local / "orgs.csv").write_bytes(ORGS)
    (local / "users.csv").write_bytes(USERS)
    (local / "azcopy").symlink_to(place.program)
    environment = place.environment | {"SESSION_URL": place.at(), "PATH": f"{local}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euc", script], cwd=local, env=environment, capture_output=True, text=True, timeout=300)
    check("the documented script", done.returncode == 0 and "orgs.csv; Content Length" in done.stdout, done.stdout + done.stderr)
    check("… does what it says", place.names("Blob") == {"users.csv": f"{len(USERS)}.00 B"})


def azurite(program, emulator, folder):
    with emulating(emulator) as origin:
        base = f"{origin}/{ACCOUNT}"
        BlobServiceClient(base, credential=KEY, api_version=VERSION).create_container("box")
        rights = ContainerSasPermissions(read=True, write=True, delete=True, list=True, create=True)
        expiry = datetime.now(timezone.utc) + timedelta(hours=1)
        sas = generate_container_sas(ACCOUNT, "box", account_key=KEY, permission=rights, expiry=expiry)
        run("Azurite", Place(program, f"{base}/box?{sas}", folder), "Blob")


def session_url(origin, authority, tenant, app):
    context = ssl.create_default_context(cafile=authority)

    def call(url, token=None, body=None):
        headers = {"Content-Type": "application/json"} if isinstance(body, dict) else {}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        with opener.open(urllib.request.Request(url, data, headers), timeout=30) as answer:
            return json.load(answer)

    form = {"grant_type": "client_credentials", "client_id": app["clientId"], "client_secret": app["clientSecret"],
            "scope": "https://graph.microsoft.com/.default"}
    token = call(f"{origin}/{tenant}/oauth2/v2.0/token", body=urllib.parse.urlencode(form).encode())["access_token"]
    root = f"{origin}/beta/external/industryData"
    source = call(f"{root}/sourceSystems", token, {"displayName": "SIS"})["id"]
    connector = call(f"{root}/dataConnectors", token, {
        "@odata.type": "#microsoft.graph.industryData.azureDataLakeConnector", "displayName": "CSV",
        "sourceSystem@odata.bind": f"sourceSystems/{source}"})["id"]
    return call(f"{root}/dataConnectors/{connector}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession", token)["sessionUrl"]


def main():
    homeroom, program, emulator = (os.path.abspath(argument) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as data_dir, tempfile.TemporaryDirectory() as folder:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HOMEROOM_")} | {"HOMEROOM_DATA_DIR": data_dir}

        def command(*arguments):
            return json.loads(subprocess.check_output([homeroom, *arguments, "--json"], env=environment))

        tenant = command("tenant", "create", "--name", "Contoso")["id"]
        app = command("app", "create", "--tenant", tenant, "--name", "azcopy", "--all-permissions")
        serve = [homeroom, "serve", "--listen", "127.0.0.1:0", "--tls-self-signed"]
        with subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                origin = server.stdout.readline().strip().removeprefix("listening on ")
                authority = Path(data_dir) / "tls" / "ca.pem"
                by_address = session_url(origin, authority, tenant, app)
                by_name = session_url(origin.replace("127.0.0.1", "localhost"), authority, tenant, app)
                run("Blob, by a name", Place(program, by_name, folder, authority), "Blob")
                run("Blob, by an address", Place(program, by_address, folder, authority), "Blob")
                by_name = session_url(origin.replace("127.0.0.1", "localhost"), authority, tenant, app)
                run("Data Lake, by a name", Place(program, by_name, folder, authority), "BlobFS")
                by_address = session_url(origin, authority, tenant, app)
                run("Data Lake, by an address", Place(program, by_address, folder, authority), "BlobFS")
                with tempfile.TemporaryDirectory() as local:
                    beyond(Place(program, session_url(origin, authority, tenant, app), folder, authority), Path(local))
                with tempfile.TemporaryDirectory() as local:
                    documented(Place(program, session_url(origin, authority, tenant, app), folder, authority), Path(local))
            finally:
                server.terminate()
                server.wait(60)
        azurite(program, emulator, folder)
    print(f"{shared.checks} checks passed")


if __name__ == "__main__":
    main()
