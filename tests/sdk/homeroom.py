"""What the Python witnesses share: a server of their own, a connected SDK, checks that count.

The token is fetched by hand: azure-identity refuses an http authority before it sends anything.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

import httpx
from azure.storage.blob import BlobClient
from kiota_abstractions.authentication import (
    AccessTokenProvider,
    AllowedHostsValidator,
    BaseBearerTokenAuthenticationProvider,
)
from msgraph_beta import GraphRequestAdapter, GraphServiceClient
from msgraph_beta.generated.models.industry_data.azure_data_lake_connector import AzureDataLakeConnector
from msgraph_beta.generated.models.industry_data.source_system_definition import SourceSystemDefinition

DOMAIN = "contoso.example"
FILES = {
    "orgs.csv": "sourcedId,name,type,parentSourcedId\nd,Contoso District,district,\nn,North School,school,d\ns,South School,school,d\n",
    "users.csv": "sourcedId,username,givenName,familyName\n"
    + "".join(f"{n},{n},{n},Contoso\n" for n in ("tim", "tanja", "ada", "ben", "zoë")),
    "roles.csv": "userSourcedId,orgSourcedId,role\ntim,n,teacher\ntanja,s,teacher\nada,n,student\nben,s,student\nzoë,s,student\n",
}

checks = 0


def check(what, holds, seen=None):
    """One check; the first that does not hold ends the witness."""
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}: {seen!r}")
    checks += 1
    print(f"  ok  {what}")


class Token(AccessTokenProvider):
    """A token that is at hand."""

    def __init__(self, token):
        self.token = token

    async def get_authorization_token(self, uri, additional_authentication_context={}):
        return self.token

    def get_allowed_hosts_validator(self):
        return AllowedHostsValidator([])


async def until(what, look, wanted, tries=200):
    """Asks until the answer is as wanted."""
    for _ in range(tries):
        answer = await look()
        if wanted(answer):
            return answer
        await asyncio.sleep(0.1)
    sys.exit(f"FAILED: {what} did not come: {answer!r}")


class Session:
    """The SDK, connected, and plain HTTP beside it for what the SDK cannot say."""

    @classmethod
    async def connect(cls, base, tenant, app):
        self = cls()
        self.base = base
        self.root = f"{base}/beta/external/industryData"
        self.http = httpx.AsyncClient(trust_env=False)
        form = {
            "grant_type": "client_credentials",
            "client_id": app["clientId"],
            "client_secret": app["clientSecret"],
            "scope": "https://graph.microsoft.com/.default",
        }
        answer = (await self.http.post(f"{base}/{tenant}/oauth2/v2.0/token", data=form)).json()
        self.bearer = {"Authorization": f"Bearer {answer['access_token']}"}
        self.adapter = GraphRequestAdapter(BaseBearerTokenAuthenticationProvider(Token(answer["access_token"])))
        self.adapter.base_url = f"{base}/beta"
        self.graph = GraphServiceClient(request_adapter=self.adapter)
        self.industry = self.graph.external.industry_data
        return self

    async def upload(self, connector, files=FILES):
        """Files into the connector's upload session, by azure-storage-blob."""
        session = await upload_session(self, connector=connector)
        parts = urlsplit(session["sessionUrl"])
        for name, text in files.items():
            url = f"{parts.scheme}://{parts.netloc}{parts.path}/{name}?{parts.query}"
            await asyncio.to_thread(BlobClient.from_blob_url(url).upload_blob, text.encode(), overwrite=True)
            check(f"{name} uploaded by azure-storage-blob", True)

    async def run(self):
        """Starts a run and waits for its end."""
        before = {r.id for r in (await self.industry.runs.get()).value}
        await self.industry.runs.microsoft_graph_industry_data_start.post()

        async def newest():
            return next((r for r in (await self.industry.runs.get()).value if r.id not in before), None)

        return await until("run", newest, lambda r: r and r.end_date_time)


async def upload_session(session, reset=False, connector=None):
    """The upload session of a connector, of a new one unless it is given."""
    if connector is None:
        source = await session.industry.source_systems.post(SourceSystemDefinition(display_name="SIS"))
        bind = {"sourceSystem@odata.bind": f"{session.root}/sourceSystems('{source.id}')"}
        kind = "#microsoft.graph.industryData.azureDataLakeConnector"
        model = AzureDataLakeConnector(odata_type=kind, display_name="CSV", additional_data=bind)
        connector = (await session.industry.data_connectors.post(model)).id
    url = f"{session.root}/dataConnectors/{connector}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession"
    answer = await session.http.get(url, params={"resetSession": "true"} if reset else {}, headers=session.bearer)
    return answer.json() | {"connector": connector}


def witness(job):
    """Serves on a fresh data directory and lets `job(session)` look at it."""
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as data_dir:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HOMEROOM_")} | {"HOMEROOM_DATA_DIR": data_dir}

        def homeroom(*arguments):
            return json.loads(subprocess.check_output([program, *arguments, "--json"], env=environment))

        tenant = homeroom("tenant", "create", "--name", "Contoso", "--domain", DOMAIN)
        app = homeroom("app", "create", "--tenant", tenant["id"], "--name", "witness", "--all-permissions")
        serve = [program, "serve", "--listen", "127.0.0.1:0"]
        serving = subprocess.Popen(serve, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            line = serving.stdout.readline()
            base = re.match(r"listening on (http://\S+)", line).group(1)
            asyncio.run(connected(job, base, tenant["id"], app))
        finally:
            serving.terminate()
            serving.wait(20)
    print(f"{checks} checks passed")


async def connected(job, base, tenant, app):
    session = await Session.connect(base, tenant, app)
    try:
        await job(session)
    finally:
        await session.http.aclose()
