"""Every request builder that msgraph-beta-sdk has below external.industry_data, with typed objects.

usage: builders.py PATH-OF-HOMEROOM

The generated package is walked first: at the end each of its builders' methods has been called, or
the witness fails. Beside that: what is fetched can be sent back as it is, for every type; paging by
the SDK's PageIterator; batches by its batch classes; refusals as ODataError.
"""

import importlib
import inspect
import logging
import re
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import msgraph_beta.generated.external.industry_data as builders
from homeroom import check, until, witness
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_serialization_json.json_serialization_writer import JsonSerializationWriter
from msgraph_beta.generated.models.long_running_operation import LongRunningOperation
from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_request_content_collection import BatchRequestContentCollection
from msgraph_core.requests.batch_request_item import BatchRequestItem
from msgraph_core.tasks.page_iterator import PageIterator

TYPE = "#microsoft.graph.industryData."


class Models:
    """`models.YearTimePeriodDefinition` is that class of the SDK, from the module named after it."""

    def __getattr__(self, name):
        module = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        return getattr(importlib.import_module(f"msgraph_beta.generated.models.industry_data.{module}"), name)


models = Models()


def record_calls():
    """All (builder, method) of the package, and those called so far."""
    known, called = set(), set()
    # Not all folders of the package have an __init__.py, so pkgutil does not find them.
    folder = Path(list(builders.__path__)[0])
    for file in sorted(folder.rglob("*_request_builder.py")):
        path = file.relative_to(folder).with_suffix("").parts
        module = importlib.import_module(".".join([builders.__name__, *path]))
        for name, builder in inspect.getmembers(module, inspect.isclass):
            if builder.__module__ != module.__name__ or not name.endswith("RequestBuilder"):
                continue
            for method in ("get", "post", "patch", "put", "delete"):
                if original := vars(builder).get(method):
                    what = ("/".join(path), method)
                    known.add(what)
                    setattr(builder, method, recording(original, what, called))
    return known, called


def recording(original, what, called):
    def method(*arguments, **named):
        called.add(what)
        return original(*arguments, **named)

    return method


def query(builder, **options):
    """Query options, in the builder's own class for them."""
    cls = type(builder)
    return RequestConfiguration(query_parameters=getattr(cls, f"{cls.__name__}GetQueryParameters")(**options))


def written(model):
    """A model as the SDK writes it."""
    writer = JsonSerializationWriter()
    writer.write_object_value(None, model)
    text = writer.get_serialized_content()
    return re.sub(rb'"lastModifiedDateTime": ?"[^"]*"', b'""', text)


async def refused(what, status, call, word=""):
    """A call that the server refuses, as the SDK's own error type."""
    try:
        answer = await call
    except ODataError as error:
        seen = (error.response_status_code, error.error.code, error.error.message)
        good = error.response_status_code == status and error.error.code and word in error.error.message
        check(f"{what}: {status} as ODataError", good, seen)
        ids = error.error.inner_error
        check(f"{what}: with request ids", ids.request_id and ids.client_request_id, ids)
    else:
        check(f"{what}: refused", False, answer)


async def round_trip(what, item):
    """Fetched, sent back as it is, fetched again: nothing has changed."""
    before = await item.get()
    check(f"{what} comes back as its own type", type(before).__name__ == what.split()[0], before)
    await item.patch(before)
    after = await item.get()
    check(f"{what} is the same after a round trip", written(before) == written(after), (written(before), written(after)))
    return after


async def collection(what, builder, count, **options):
    """List and $count of a collection."""
    listed = await builder.get()
    check(f"{what}: listed", len(listed.value) == count, listed.value)
    check(f"{what}: counted", await builder.count.get() == count)
    for name, value in options.items():
        found = await builder.get(query(builder, **{name: value}))
        check(f"{what}: {name}={value}", len(found.value) == 1, found.value)
    page = await builder.get(query(builder, top=1, count=True))
    check(f"{what}: first page of one, count of all", len(page.value) == 1 and page.odata_count == count, page)


async def configuration(session):
    industry, root = session.industry, session.root
    made = {}

    def rule(group, order):
        return models.UserMatchingSetting(
            match_target=models.UserMatchTargetReferenceValue(code="userPrincipalName"),
            priority_order=order,
            source_identifier=models.IdentifierTypeReferenceValue(code="username"),
            additional_data={"roleGroup@odata.bind": f"{root}/roleGroups('{group}')"},
        )

    systems = industry.source_systems
    rules = [rule("staff", 0), rule("students", 1)]
    made["system"] = await systems.post(
        models.SourceSystemDefinition(display_name="SIS", vendor="Contoso", user_matching_settings=rules)
    )
    spare = await systems.post(models.SourceSystemDefinition(display_name="Spare"))
    await collection("source systems", systems, 2, filter="vendor eq 'Contoso'", search="Spare", skip=1)
    system = systems.by_source_system_definition_id(made["system"].id)
    await round_trip("SourceSystemDefinition", system)
    await system.patch(models.SourceSystemDefinition(vendor="Fabrikam"))
    check("a vendor changed", (await system.get()).vendor == "Fabrikam")
    selected = await system.get(query(system, select=["vendor"]))
    check("$select", selected.vendor == "Fabrikam" and selected.display_name is None, selected)
    await systems.by_source_system_definition_id(spare.id).delete()
    await refused("a deleted source system", 404, systems.by_source_system_definition_id(spare.id).get())

    connectors = industry.data_connectors
    bind = {"sourceSystem@odata.bind": f"{root}/sourceSystems('{made['system'].id}')"}
    made["files"] = await connectors.post(
        models.AzureDataLakeConnector(
            odata_type=TYPE + "azureDataLakeConnector",
            display_name="CSV",
            file_format=models.FileFormatReferenceValue(code="schoolDataSyncV2Rev1"),
            additional_data=dict(bind),
        )
    )

    def one_roster(name, credential):
        return models.OneRosterApiDataConnector(
            odata_type=TYPE + "oneRosterApiDataConnector",
            display_name=name,
            api_format=models.ApiFormat.OneRoster,
            base_url="https://sis.contoso.example/ims/oneroster/v1p1",
            api_version="1.1",
            is_contacts_enabled=False,
            is_demographics_enabled=True,
            is_flags_enabled=False,
            credential=credential,
            additional_data=dict(bind),
        )

    secret = {"display_name": "key", "client_id": "homeroom", "client_secret": "a secret"}
    first = models.OAuth1ClientCredential(odata_type=TYPE + "oAuth1ClientCredential", **secret)
    second = models.OAuth2ClientCredential(
        odata_type=TYPE + "oAuth2ClientCredential", token_url="https://sis.contoso.example/token", scope="roster", **secret
    )
    made["api"] = await connectors.post(one_roster("OneRoster with OAuth 2", second))
    check("a client secret does not come back", made["api"].credential.client_secret is None, made["api"])
    spare = await connectors.post(one_roster("OneRoster with OAuth 1", first))
    await collection("connectors", connectors, 3, search="CSV", filter="contains(displayName,'OAuth 2')")
    for what, connector in (("AzureDataLakeConnector", "files"), ("OneRosterApiDataConnector", "api")):
        await round_trip(what, connectors.by_industry_data_connector_id(made[connector].id))
    kept = await round_trip("OneRosterApiDataConnector with OAuth 1", connectors.by_industry_data_connector_id(spare.id))
    check("its credential has its own type", type(kept.credential).__name__ == "OAuth1ClientCredential", kept)
    by_id = connectors.by_industry_data_connector_id(made["api"].id)
    check("the source system of a connector", (await by_id.source_system.get()).id == made["system"].id)
    both = await by_id.get(query(by_id, expand=["sourceSystem"]))
    check("… and expanded", both.source_system.vendor == "Fabrikam", both)
    await refused("an expanded source system sent back", 400, by_id.patch(both), "sourceSystem@odata.bind")
    await connectors.by_industry_data_connector_id(spare.id).delete()
    await refused("a source system in use", 409, system.delete())

    years = industry.years

    def year(code):
        return models.YearTimePeriodDefinition(
            display_name=f"Year {code}",
            start_date=date(code - 1, 8, 1),
            end_date=date(code, 7, 31),
            year=models.YearReferenceValue(code=str(code)),
        )

    made["year"] = await years.post(year(2027))
    spare = await years.post(year(2028))
    await collection("years", years, 2, filter="year/code eq '2028'", search="2027")
    backwards = await years.get(query(years, orderby=["startDate desc"], select=["displayName"]))
    check("$orderby", [y.display_name for y in backwards.value] == ["Year 2028", "Year 2027"], backwards.value)
    await round_trip("YearTimePeriodDefinition", years.by_year_time_period_definition_id(made["year"].id))
    await years.by_year_time_period_definition_id(spare.id).delete()

    flows = industry.inbound_flows

    def flow(cls, name, connector):
        return cls(
            odata_type=TYPE + cls.__name__[0].lower() + cls.__name__[1:],
            display_name=name,
            data_domain=models.InboundDomain.EducationRostering,
            effective_date_time=datetime(2026, 8, 1, 12, tzinfo=timezone(timedelta(hours=2))),
            expiration_date_time=datetime(2096, 8, 1, tzinfo=timezone.utc),
            additional_data={
                "dataConnector@odata.bind": f"{root}/dataConnectors/{connector.id}",
                "year@odata.bind": f"{root}/years/{made['year'].id}",
            },
        )

    made["inbound"] = await flows.post(flow(models.InboundFileFlow, "Nightly", made["files"]))
    spare = await flows.post(flow(models.InboundApiFlow, "Hourly", made["api"]))
    await collection("inbound flows", flows, 2, filter="startswith(displayName,'Night')", search="Hourly")
    # What the worker sets beside us is no change of ours. A flow from an API stays as it is until its connection was tested.
    looked_at = lambda f: f.readiness_status != models.ReadinessStatus.NotReady
    await until("inbound flow", flows.by_inbound_flow_id(made["inbound"].id).get, looked_at)
    await round_trip("InboundFileFlow", flows.by_inbound_flow_id(made["inbound"].id))
    await round_trip("InboundApiFlow", flows.by_inbound_flow_id(spare.id))
    by_id = flows.by_inbound_flow_id(made["inbound"].id)
    check("a time comes back in UTC", (await by_id.get()).effective_date_time == datetime(2026, 8, 1, 10, tzinfo=timezone.utc))
    check("the connector of a flow", (await by_id.data_connector.get()).id == made["files"].id)
    check("… of its own type", isinstance(await by_id.data_connector.get(), models.AzureDataLakeConnector))
    check("the year of a flow", (await by_id.year.get()).id == made["year"].id)
    both = await flows.get(query(flows, expand=["dataConnector", "year"], filter="displayName eq 'Nightly'"))
    seen = both.value[0]
    check("a flow with both expanded", seen.year.id == made["year"].id and seen.data_connector.id == made["files"].id, seen)
    await refused("an expanded flow sent back", 400, by_id.patch(seen), "@odata.bind")
    naive = flow(models.InboundFileFlow, "Naive", made["files"])
    del naive.additional_data["year@odata.bind"]
    naive.year = made["year"]
    await refused("a year inline", 400, flows.post(naive), "year@odata.bind")
    await flows.by_inbound_flow_id(spare.id).delete()
    return made


async def provisioning(session):
    industry, root = session.industry, session.root
    sets = industry.outbound_provisioning_flow_sets
    schools = models.BasicFilter(odata_type=TYPE + "basicFilter", attribute=models.FilterOptions.OrgExternalId, in_=["n", "s"])
    spare = await sets.post(models.OutboundProvisioningFlowSet(display_name="Schools", filter=schools))
    kept = await sets.post(models.OutboundProvisioningFlowSet(display_name="Everywhere"))
    await collection("flow sets", sets, 2, search="Everywhere", filter="displayName eq 'Schools'")
    by_id = sets.by_outbound_provisioning_flow_set_id(spare.id)
    seen = await round_trip("OutboundProvisioningFlowSet", by_id)
    check("its filter", seen.filter.in_ == ["n", "s"] and seen.filter.attribute == models.FilterOptions.OrgExternalId, seen)
    await by_id.delete()
    by_id = sets.by_outbound_provisioning_flow_set_id(kept.id)

    def section(*codes):
        return [models.SectionRoleReferenceValue(code=code) for code in codes]

    def user(group, sku):
        return models.UserConfiguration(
            license_skus=[sku],
            default_password_settings=models.SimplePasswordSettings(
                odata_type=TYPE + "simplePasswordSettings", password="xWwvJ]6NMw+bWH-d"
            ),
            additional_data={"roleGroup@odata.bind": f"{root}/roleGroups/{group}"},
        )

    kinds = [
        models.SecurityGroupProvisioningFlow(
            odata_type=TYPE + "securityGroupProvisioningFlow",
            creation_options=models.SecurityGroupCreationOptions(
                create_based_on_role_group=True, create_based_on_org_plus_role_group=True
            ),
        ),
        models.AdministrativeUnitProvisioningFlow(
            odata_type=TYPE + "administrativeUnitProvisioningFlow",
            creation_options=models.AdminUnitCreationOptions(
                create_based_on_org=True, create_based_on_org_plus_role_group=False
            ),
        ),
        models.ClassGroupProvisioningFlow(
            odata_type=TYPE + "classGroupProvisioningFlow",
            configuration=models.ClassGroupConfiguration(
                additional_attributes=[
                    models.AdditionalClassGroupAttributes.CourseTitle,
                    models.AdditionalClassGroupAttributes.ClassCode,
                ],
                additional_options=models.AdditionalClassGroupOptions(create_team=True, write_display_name_on_create_only=False),
                enrollment_mappings=models.EnrollmentMappings(
                    owner_enrollment_mappings=section("teacher", "proctor"), member_enrollment_mappings=section("student", "proctor")
                ),
            ),
        ),
        models.UserProvisioningFlow(
            odata_type=TYPE + "userProvisioningFlow",
            create_unmatched_users=True,
            management_options=models.UserManagementOptions(
                additional_attributes=[models.AdditionalUserAttributes.UserGradeLevel],
                additional_options=models.AdditionalUserOptions(
                    allow_student_contact_association=False, student_age_group=models.StudentAgeGroup.Minor
                ),
            ),
            creation_options=models.UserCreationOptions(configurations=[user("staff", "A1"), user("students", "A3")]),
        ),
    ]
    flows = by_id.provisioning_flows
    for kind in kinds:
        what = type(kind).__name__
        flow = await flows.post(kind)
        check(f"{what} is made as its own type", type(flow).__name__ == what and flow.id, flow)
        await refused(f"a second {what}", 409, flows.post(kind))
        item = flows.by_provisioning_flow_id(flow.id)
        await round_trip(what, item)
        await item.microsoft_graph_industry_data_reset.post()
    await collection("provisioning flows", flows, 4, skip=3)
    users = next(f for f in (await flows.get()).value if isinstance(f, models.UserProvisioningFlow))
    groups = [c.role_group.id for c in users.creation_options.configurations]
    check("role groups stand inline in a user flow", groups == ["staff", "students"], groups)
    masked = users.creation_options.configurations[0].default_password_settings.password
    check("a password is masked", masked == "*" * 15, masked)
    with_flows = await by_id.get(query(by_id, expand=["provisioningFlows"]))
    check("a set with its flows expanded", len(with_flows.provisioning_flows) == 4, with_flows)
    for flow in with_flows.provisioning_flows:
        if not isinstance(flow, models.SecurityGroupProvisioningFlow):
            await flows.by_provisioning_flow_id(flow.id).delete()
    check("one flow is left", await flows.count.get() == 1)


async def runs(session, made):
    industry = session.industry
    connector = industry.data_connectors.by_industry_data_connector_id(made["files"].id)
    await session.upload(made["files"].id)
    await connector.microsoft_graph_industry_data_validate.post()

    async def validated():
        return (await industry.operations.get()).value

    operations = await until("validation", validated, lambda all: all and all[0].status.value == "succeeded")
    operation = industry.operations.by_long_running_operation_id(operations[0].id)
    check("an operation by its id", isinstance(await operation.get(), models.FileValidateOperation))
    await collection("operations", industry.operations, 1, filter="status eq 'succeeded'")
    await refused("an operation made by hand", 405, industry.operations.post(LongRunningOperation()))
    await refused("an operation changed", 405, operation.patch(LongRunningOperation(status_detail="x")))
    await refused("an operation deleted", 405, operation.delete())

    sets = (await industry.outbound_provisioning_flow_sets.get()).value
    flows = industry.outbound_provisioning_flow_sets.by_outbound_provisioning_flow_set_id(sets[0].id).provisioning_flows

    async def all_ready():
        return {f.readiness_status for f in (await flows.get()).value}

    await until("the flow that is left", all_ready, lambda seen: seen == {models.ReadinessStatus.Ready})
    run = await session.run()
    check("the run completed", run.status.value.startswith("completed"), run)
    await collection("runs", industry.runs, 1, filter=f"id eq '{run.id}'")
    item = industry.runs.by_industry_data_run_id(run.id)
    check("a run by its id", (await item.get()).display_name.startswith("Run "))
    both = await item.get(query(item, expand=["activities"]))
    check("a run with its activities expanded", len(both.activities) == 2, both)
    await collection("activities", item.activities, 2, filter="displayName eq 'Nightly'")
    for activity in (await item.activities.get()).value:
        by_id = item.activities.by_industry_data_run_activity_id(activity.id)
        check("an activity by its id", (await by_id.get()).display_name == activity.display_name)
        if isinstance(activity, models.InboundFlowActivity):
            check("the flow of an activity", (await by_id.activity.get()).id == made["inbound"].id)
            expanded = await by_id.get(query(by_id, expand=["activity"]))
            check("… and expanded", isinstance(expanded.activity, models.InboundFileFlow), expanded)
    statistics = await item.microsoft_graph_industry_data_get_statistics.get()
    check("statistics of a run", statistics.run_id == run.id and statistics.inbound_totals.people == 5, statistics)
    counted = statistics.activity_statistics[0]
    check("… of its activities", isinstance(counted, models.InboundActivityResults) and counted.people.total == 5, counted)
    newest = await industry.runs.microsoft_graph_industry_data_get_statistics.get()
    check("statistics of the newest run", newest.run_id == run.id, newest)


async def reference(session):
    industry = session.industry
    rows = industry.reference_definitions
    total = await rows.count.get()
    made = await rows.post(
        models.ReferenceDefinition(
            reference_type="RefGradeLevel", code="evening", display_name="Evening", is_disabled=False, sort_index=99910
        )
    )
    check("a row of the tenant's own", made.id == "RefGradeLevel-evening" and made.source == "Tenant Defined", made)
    own = await rows.get(query(rows, filter="source eq 'Tenant Defined'"))
    check("found by its source", [r.code for r in own.value] == ["evening"], own)
    by_id = rows.by_reference_definition_id(made.id)
    await round_trip("ReferenceDefinition", by_id)
    await by_id.patch(models.ReferenceDefinition(sort_index=99911))
    await by_id.delete()
    check("deletion disables", (await by_id.get()).is_disabled is True)

    # More than two pages of the server's own size, and each row once.
    seen = []
    pages = PageIterator(await rows.get(), session.adapter)
    await pages.iterate(lambda row: seen.append(row.id) or True)
    check("PageIterator sees every row once", len(seen) == len(set(seen)) == total + 1 > 200, (len(seen), total))
    seen = []
    asked = query(rows, filter="sortIndex ge 10", orderby=["sortIndex desc", "code"], select=["id", "sortIndex", "code"])
    pages = PageIterator(await rows.get(asked), session.adapter)
    await pages.iterate(lambda row: seen.append((-row.sort_index, row.code)) or True)
    check("… and in the order asked for", seen == sorted(seen) and len(seen) == total + 1, seen)

    groups = industry.role_groups
    mine = await groups.post(models.RoleGroup(display_name="Coaches", roles=[models.RoleReferenceValue(code="coach")]))
    check("a role group of the tenant's own", mine.id and mine.roles[0].code == "coach", mine)
    await collection("role groups", groups, 3, search="Coaches", filter="id eq 'staff'")
    by_id = groups.by_role_group_id(mine.id)
    await round_trip("RoleGroup", by_id)
    await by_id.patch(models.RoleGroup(display_name="Trainers"))
    check("renamed", (await by_id.get()).display_name == "Trainers")
    await by_id.delete()
    await refused("a role group that is gone", 404, by_id.get())
    await refused("a built-in role group deleted", 409, groups.by_role_group_id("staff").delete())

    whole = await industry.get()
    check("the root", type(whole).__name__ == "IndustryDataRoot", whole)
    expanded = await industry.get(query(industry, expand=["years", "roleGroups"]))
    check("the root expanded", len(expanded.years) == 1 and len(expanded.role_groups) == 2, expanded)


async def batches(session):
    industry = session.industry
    batch = BatchRequestBuilder(session.adapter, {"XXX": ODataError})
    year = models.YearTimePeriodDefinition(
        display_name="Batched", start_date=date(2029, 8, 1), end_date=date(2030, 7, 31), year=models.YearReferenceValue(code="2030")
    )
    good = BatchRequestItem(industry.years.to_post_request_information(year))
    bad = BatchRequestItem(industry.years.by_year_time_period_definition_id("nowhere").to_get_request_information())
    after = BatchRequestItem(industry.years.to_get_request_information(), depends_on=[bad])
    asked = industry.years.to_get_request_information(query(industry.years, filter="displayName eq 'Batched'", top=1))
    found = BatchRequestItem(asked, depends_on=[good])
    content = BatchRequestContent()
    for item in (good, bad, after, found):
        content.add_request(item.id, item)
    answer = await batch.post(content)
    statuses = answer.get_response_status_codes()
    wanted = {good.id: 201, bad.id: 404, after.id: 424, found.id: 200}
    check("a batch: 201, 404, 424, 200", statuses == wanted, statuses)
    check("what the batch has made is there", await industry.years.count.get() == 2)

    many = BatchRequestContentCollection()
    for _ in range(25):
        many.add_batch_request_item(BatchRequestItem(industry.role_groups.to_get_request_information()))
    answers = await batch.post(many)
    statuses = [status for part in answers.get_responses() for status in part.get_response_status_codes().values()]
    check("25 requests in two batches", statuses == [200] * 25, statuses)

    twice = BatchRequestContent()
    for id in ("a", "A"):
        twice.add_request(id, BatchRequestItem(industry.role_groups.to_get_request_information(), id=id))
    # The class writes the refusal that we want to its log.
    logging.disable()
    await refused("an id twice in a batch", 400, batch.post(twice), "'A'")


async def job(session):
    known, called = record_calls()
    made = await configuration(session)
    await provisioning(session)
    await runs(session, made)
    await reference(session)
    await batches(session)
    cleared = models.SourceSystemDefinition()
    cleared.display_name = None
    cleared.additional_data = {"display_name": None}
    by_id = session.industry.source_systems.by_source_system_definition_id(made["system"].id)
    await refused("a property under its Python name", 400, by_id.patch(cleared), "display_name")
    check(f"all {len(known)} methods of the builders were called", len(known) > 50 and known == called, sorted(known - called))


if __name__ == "__main__":
    witness(job)
