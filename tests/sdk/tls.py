"""Tokens and Graph calls over TLS, by Microsoft's own clients with nothing of ours in between.

usage: tls.py PATH-OF-HOMEROOM

Starts `homeroom serve --tls-self-signed` and trusts its local authority by environment variables
alone, as its users do. azure-identity (sync and aio) and MSAL fetch tokens from Homeroom's own
authority, msgraph-beta-sdk calls the API with them over HTTP/2, azure-storage-blob and
azure-storage-file-datalake upload.
"""

import asyncio
import datetime
import json
import os
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

checks = 0


def check(what, holds, seen=None):
    """One check; the first that does not hold ends the test."""
    global checks
    if not holds:
        sys.exit(f"FAILED: {what}: {seen!r}")
    checks += 1
    print(f"  ok  {what}")


def trust(authority):
    """What the documentation says: requests (azure-identity, MSAL, storage) reads one, httpx (Graph) the other."""
    os.environ["REQUESTS_CA_BUNDLE"] = str(authority)
    os.environ["SSL_CERT_FILE"] = str(authority)
    os.environ["NO_PROXY"] = "localhost,127.0.0.1"


def tokens(origin, tenant, app, authority):
    """Every way by which Python programs get a token."""
    import msal
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientSecretCredential

    scope = "https://graph.microsoft.com/.default"
    common = {"authority": origin, "disable_instance_discovery": True}
    credential = ClientSecretCredential(tenant, app["clientId"], app["clientSecret"], **common)
    check("azure-identity, sync", credential.get_token(scope).token.count(".") == 2)
    check("azure-identity, scope of the host itself", credential.get_token(f"{origin}/.default").token)
    try:
        ClientSecretCredential(tenant, app["clientId"], "wrong", **common).get_token(scope)
        check("a wrong secret is refused", False)
    except ClientAuthenticationError as refused:
        check("a wrong secret is refused in Entra's words", "AADSTS7000215" in str(refused), refused)

    async def aio():
        from azure.identity.aio import ClientSecretCredential as AioCredential

        context = {"connection_verify": str(authority)}
        async with AioCredential(tenant, app["clientId"], app["clientSecret"], **common, **context) as credential:
            check("azure-identity, aio", (await credential.get_token(scope)).token.count(".") == 2)

    asyncio.run(aio())

    for what, arguments in {
        "MSAL": {"authority": f"{origin}/{tenant}", "instance_discovery": False},
        "MSAL, oidc_authority": {"oidc_authority": f"{origin}/{tenant}/v2.0"},
    }.items():
        answer = msal.ConfidentialClientApplication(app["clientId"], app["clientSecret"], **arguments).acquire_token_for_client([scope])
        check(what, "access_token" in answer, answer)


def certificate():
    """A private key and a certificate for it, in PEM, as users make them with openssl."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Nightly export")])
    today = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), today, today + datetime.timedelta(days=9))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def without_secret(origin, tenant, command, approve, folder):
    """Certificates and device codes."""
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import CertificateCredential, DeviceCodeCredential

    scope = "https://graph.microsoft.com/.default"
    common = {"authority": origin, "disable_instance_discovery": True}
    mine, stranger = Path(folder) / "mine.pem", Path(folder) / "stranger.pem"
    mine.write_bytes(certificate())
    stranger.write_bytes(certificate())
    app = command("app", "create", "--tenant", tenant, "--name", "by certificate", "--all-permissions", "--certificate", str(mine))
    check("no secret was made", app["clientSecret"] is None, app)
    for chain in (False, True):
        credential = CertificateCredential(tenant, app["clientId"], str(mine), send_certificate_chain=chain, **common)
        check(f"azure-identity, certificate, chain: {chain}", credential.get_token(scope).token)
    try:
        CertificateCredential(tenant, app["clientId"], str(stranger), **common).get_token(scope)
        check("another's certificate is refused", False)
    except ClientAuthenticationError as refused:
        check("another's certificate is refused in Entra's words", "AADSTS700027" in str(refused), refused)

    def prompt(uri, code, _):
        check("the code is shown", uri.startswith(f"{origin}/") and len(code) == 9, (uri, code))
        approve(code)

    credential = DeviceCodeCredential(app["clientId"], tenant_id=tenant, prompt_callback=prompt, **common)
    check("azure-identity, device code", credential.get_token(scope).token)


async def graph_calls(origin, tenant, app):
    """The lines of docs/emulator.md, then calls by the typed client."""
    import httpx
    from azure.identity import ClientSecretCredential
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
    from msgraph_beta import GraphRequestAdapter, GraphServiceClient
    from msgraph_beta.generated.models.industry_data.azure_data_lake_connector import AzureDataLakeConnector
    from msgraph_beta.generated.models.industry_data.source_system_definition import SourceSystemDefinition
    from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph_core.tasks.page_iterator import PageIterator

    credential = ClientSecretCredential(
        tenant, app["clientId"], app["clientSecret"], authority=origin, disable_instance_discovery=True
    )
    adapter = GraphRequestAdapter(AzureIdentityAuthenticationProvider(credential, scopes=["https://graph.microsoft.com/.default"]))
    adapter.base_url = f"{origin}/beta"
    industry = GraphServiceClient(request_adapter=adapter).external.industry_data

    versions, encodings = set(), set()

    async def look(response):
        versions.add(response.http_version)
        encodings.add(response.headers.get("content-encoding"))

    adapter._http_client.event_hooks["response"].append(look)

    made = [await industry.source_systems.post(SourceSystemDefinition(display_name=f"SIS {n}")) for n in range(3)]
    check("made over https", all(one.id for one in made))
    check("HTTP/2", versions == {"HTTP/2"}, versions)

    page = await industry.reference_definitions.get()
    check("a large answer came compressed and is read", "gzip" in encodings and len(page.value) == 100, encodings)
    check("nextLink says https", page.odata_next_link.startswith(f"{origin}/beta/external/industryData/"), page.odata_next_link)
    seen = []
    await PageIterator(page, adapter).iterate(lambda one: seen.append(one.id) or True)
    check("PageIterator follows it", len(seen) > 100 and len(set(seen)) == len(seen), len(seen))

    connector = await industry.data_connectors.post(
        AzureDataLakeConnector(
            odata_type="#microsoft.graph.industryData.azureDataLakeConnector",
            display_name="CSV",
            additional_data={"sourceSystem@odata.bind": f"https://graph.microsoft.com/beta/external/industryData/sourceSystems('{made[0].id}')"},
        )
    )
    try:
        await industry.source_systems.by_source_system_definition_id("00000000-0000-0000-0000-000000000000").get()
        check("an unknown id", False)
    except ODataError as error:
        check("an error is a typed one", error.response_status_code == 404 and error.error.code == "NotFound", error)

    root = f"{origin}/beta/external/industryData"
    url = f"{root}/dataConnectors/{connector.id}/microsoft.graph.industryData.azureDataLakeConnector/getUploadSession"
    token = credential.get_token("https://graph.microsoft.com/.default").token
    async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])) as http:
        session = (await http.get(url, headers={"Authorization": f"Bearer {token}"})).json()
    check("sessionUrl says https", session["sessionUrl"].startswith(f"{origin}/"), session)
    await asyncio.to_thread(upload, session["sessionUrl"])


def upload(session_url):
    from azure.storage.blob import ContainerClient

    container = ContainerClient.from_container_url(session_url)
    container.upload_blob("orgs.csv", b"sourcedId,name,type\nd,Contoso,district\n", overwrite=True)
    check("azure-storage-blob over https", [blob.name for blob in container.list_blobs()] == ["orgs.csv"])
    data_lake(session_url)


def data_lake(session_url):
    """The other protocol at the same address: account, file system (the tenant) and path are cut out of it."""
    from azure.core.exceptions import ResourceExistsError
    from azure.storage.filedatalake import DataLakeFileClient, FileSystemClient

    url = urlsplit(session_url)
    system, folder = url.path.strip("/").split("/", 1)
    place = {"account_url": f"{url.scheme}://{url.netloc}", "file_system_name": system, "credential": url.query}
    users = b"sourcedId,username\n" + b"".join(b"%d,user%d\n" % (n, n) for n in range(100_000))
    file = DataLakeFileClient(**place, file_path=f"{folder}/users.csv")
    file.upload_data(users, overwrite=True, chunk_size=256 * 1024, max_concurrency=4)
    check("azure-storage-file-datalake: created, appended in parallel, flushed, read", file.download_file().readall() == users)
    roles = DataLakeFileClient(**place, file_path=f"{folder}/roles.csv")
    roles.create_file()
    roles.append_data(b"userSourcedId", 0)
    roles.append_data(b",role\n", 13)
    roles.flush_data(19)
    check("azure-storage-file-datalake: step by step", roles.download_file().readall() == b"userSourcedId,role\n")
    try:
        file.upload_data(b"x")
        check("azure-storage-file-datalake: not twice without overwriting", False)
    except ResourceExistsError:
        check("azure-storage-file-datalake: not twice without overwriting", True)
    paths = sorted(path.name.rsplit("/", 1)[1] for path in FileSystemClient(**place).get_paths(path=folder))
    check("azure-storage-file-datalake: lists what both protocols wrote", paths == ["orgs.csv", "roles.csv", "users.csv"], paths)


def main():
    homeroom = sys.argv[1]
    with tempfile.TemporaryDirectory() as data_dir:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HOMEROOM_")} | {"HOMEROOM_DATA_DIR": data_dir}

        def command(*arguments):
            output = subprocess.run([homeroom, *arguments, "--json"], env=environment, check=True, capture_output=True).stdout
            return json.loads(output)

        tenant = command("tenant", "create", "--name", "Contoso", "--domain", "contoso.example")["id"]
        app = command("app", "create", "--tenant", tenant, "--name", "sdk", "--all-permissions")
        arguments = [homeroom, "serve", "--listen", "127.0.0.1:0", "--tls-self-signed"]
        with subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                line = server.stdout.readline().strip()
                check("listening on https", line.startswith("listening on https://127.0.0.1:"), line)
                origin = line.removeprefix("listening on ").replace("127.0.0.1", "localhost")
                authority = Path(data_dir) / "tls" / "ca.pem"
                trust(authority)
                tokens(origin, tenant, app, authority)
                with tempfile.TemporaryDirectory() as folder:
                    approve = [homeroom, "token", "approve"]
                    silent = {"env": environment, "check": True, "stdout": subprocess.DEVNULL}
                    without_secret(origin, tenant, command, lambda code: subprocess.run([*approve, code], **silent), folder)
                asyncio.run(graph_calls(origin, tenant, app))
            finally:
                server.terminate()
                check("the server stops when told to", server.wait(timeout=60) == 0)
    print(f"{checks} checks passed")


if __name__ == "__main__":
    main()
