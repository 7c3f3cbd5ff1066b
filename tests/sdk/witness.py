"""The main job, done by Microsoft's own Python SDK (msgraph-beta-sdk) and storage SDK.

usage: witness.py PATH-OF-HOMEROOM

Starts a server on a fresh data directory and does what an integrator does, with typed objects
throughout: accounts, source system, connector, year, inbound flow, upload, validation, flow set,
security group flow, run, PATCH, second run, statistics. What the SDK cannot say (getUploadSession
is not in it) goes over plain HTTP, as Microsoft's own clients do it.
"""

from datetime import date, datetime, timezone

from homeroom import DOMAIN, check, until, witness
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph_beta.generated.models.group import Group
from msgraph_beta.generated.models.industry_data.azure_data_lake_connector import AzureDataLakeConnector
from msgraph_beta.generated.models.industry_data.basic_filter import BasicFilter
from msgraph_beta.generated.models.industry_data.filter_options import FilterOptions
from msgraph_beta.generated.models.industry_data.identifier_type_reference_value import IdentifierTypeReferenceValue
from msgraph_beta.generated.models.industry_data.file_validate_operation import FileValidateOperation
from msgraph_beta.generated.models.industry_data.inbound_domain import InboundDomain
from msgraph_beta.generated.models.industry_data.inbound_file_flow import InboundFileFlow
from msgraph_beta.generated.models.industry_data.outbound_provisioning_flow_set import OutboundProvisioningFlowSet
from msgraph_beta.generated.models.industry_data.readiness_status import ReadinessStatus
from msgraph_beta.generated.models.industry_data.security_group_creation_options import SecurityGroupCreationOptions
from msgraph_beta.generated.models.industry_data.security_group_provisioning_flow import SecurityGroupProvisioningFlow
from msgraph_beta.generated.models.industry_data.source_system_definition import SourceSystemDefinition
from msgraph_beta.generated.models.industry_data.user_match_target_reference_value import UserMatchTargetReferenceValue
from msgraph_beta.generated.models.industry_data.user_matching_setting import UserMatchingSetting
from msgraph_beta.generated.models.industry_data.year_reference_value import YearReferenceValue
from msgraph_beta.generated.models.industry_data.year_time_period_definition import YearTimePeriodDefinition
from msgraph_beta.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_beta.generated.models.password_profile import PasswordProfile
from msgraph_beta.generated.models.user import User
from msgraph_beta.generated.users.users_request_builder import UsersRequestBuilder


async def main_job(session):
    graph, industry, root, base = session.graph, session.industry, session.root, session.base

    for name in ("tim", "tanja", "ada", "ben", "zoë"):
        user = User(
            account_enabled=True,
            display_name=name.title(),
            mail_nickname=name,
            user_principal_name=f"{name}@{DOMAIN}",
            password_profile=PasswordProfile(password="xWwvJ]6NMw+bWH-d", force_change_password_next_sign_in=True),
        )
        made = await graph.users.post(user)
        check(f"user {name}", made.id and made.user_principal_name == f"{name}@{DOMAIN}", made)
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(filter="startswith(displayName,'Z')", count=True, top=5)
    found = await graph.users.get(RequestConfiguration(query_parameters=query))
    check("users filtered and counted", found.odata_count == 1 and found.value[0].display_name == "Zoë", found)

    def rule(group, order):
        return UserMatchingSetting(
            match_target=UserMatchTargetReferenceValue(code="userPrincipalName"),
            priority_order=order,
            source_identifier=IdentifierTypeReferenceValue(code="username"),
            additional_data={"roleGroup@odata.bind": f"{root}/roleGroups('{group}')", "domainName": DOMAIN},
        )

    source = await industry.source_systems.post(
        SourceSystemDefinition(display_name="Contoso SIS", vendor="Contoso", user_matching_settings=[rule("staff", 0), rule("students", 1)])
    )
    check("source system with two rules", source.id and len(source.user_matching_settings) == 2, source)
    connector = await industry.data_connectors.post(
        AzureDataLakeConnector(
            odata_type="#microsoft.graph.industryData.azureDataLakeConnector",
            display_name="CSV",
            additional_data={"sourceSystem@odata.bind": f"{root}/sourceSystems('{source.id}')"},
        )
    )
    check("connector comes back as its own type", isinstance(connector, AzureDataLakeConnector), connector)
    year = await industry.years.post(
        YearTimePeriodDefinition(
            display_name="2026-2027", start_date=date(2026, 8, 1), end_date=date(2027, 7, 31), year=YearReferenceValue(code="2027")
        )
    )
    check("year", year.end_date == date(2027, 7, 31) and year.year.code == "2027", year)
    flow = await industry.inbound_flows.post(
        InboundFileFlow(
            odata_type="#microsoft.graph.industryData.inboundFileFlow",
            display_name="Nightly",
            data_domain=InboundDomain.EducationRostering,
            effective_date_time=datetime(2026, 8, 1, tzinfo=timezone.utc),
            additional_data={
                "dataConnector@odata.bind": f"{root}/dataConnectors('{connector.id}')",
                "year@odata.bind": f"{root}/years('{year.id}')",
            },
        )
    )
    check("inbound flow comes back as its own type", isinstance(flow, InboundFileFlow), flow)
    by_id = industry.inbound_flows.by_inbound_flow_id(flow.id)
    flow = await until("inbound flow", by_id.get, lambda f: f.readiness_status == ReadinessStatus.Ready)
    check("inbound flow is ready", True)

    await session.upload(connector.id)
    await industry.data_connectors.by_industry_data_connector_id(connector.id).microsoft_graph_industry_data_validate.post()

    async def validation():
        operations = (await industry.operations.get()).value
        return next((o for o in operations if isinstance(o, FileValidateOperation)), None)

    done = await until("validation", validation, lambda o: o and o.status.value == "succeeded")
    check("validation is a fileValidateOperation without errors", not done.errors and len(done.validated_files) == 3, done)

    sets = industry.outbound_provisioning_flow_sets
    flow_set = await sets.post(
        OutboundProvisioningFlowSet(
            display_name="Schools",
            filter=BasicFilter(
                odata_type="#microsoft.graph.industryData.basicFilter", attribute=FilterOptions.OrgExternalId, in_=["n", "s"]
            ),
        )
    )
    check("flow set with a filter", isinstance(flow_set.filter, BasicFilter) and flow_set.filter.in_ == ["n", "s"], flow_set)
    flows = sets.by_outbound_provisioning_flow_set_id(flow_set.id).provisioning_flows
    options = SecurityGroupCreationOptions(create_based_on_role_group=True, create_based_on_org_plus_role_group=False)
    security = await flows.post(
        SecurityGroupProvisioningFlow(
            odata_type="#microsoft.graph.industryData.securityGroupProvisioningFlow", creation_options=options
        )
    )
    check("security group flow comes back as its own type", isinstance(security, SecurityGroupProvisioningFlow), security)

    async def groups():
        return {g.display_name: g.id for g in (await graph.groups.get()).value}

    first = await session.run()
    check("first run completed", first.status.value == "completed" and first.blocking_error is None, first)
    check("its groups", set(await groups()) == {"All Staff", "All Students"}, await groups())

    # The call of the mission, by the canonical URL: the SDK takes the 200 and gives the object.
    security = await until(
        "security group flow",
        flows.by_provisioning_flow_id(security.id).get,
        lambda f: f.readiness_status == ReadinessStatus.Ready,
    )
    security.creation_options.create_based_on_org_plus_role_group = True
    patched = await flows.by_provisioning_flow_id(security.id).patch(security)
    check(
        "PATCH of what was fetched answers 200 with the object",
        isinstance(patched, SecurityGroupProvisioningFlow)
        and patched.creation_options.create_based_on_org_plus_role_group is True
        and patched.created_date_time == security.created_date_time
        and patched.readiness_status == ReadinessStatus.Ready,
        patched,
    )
    # And by the short URL that the page prints.
    short = await session.http.patch(
        f"{base}/beta/securityGroupProvisioningFlow",
        headers=session.bearer,
        json={
            "@odata.type": "#microsoft.graph.industryData.securityGroupProvisioningFlow",
            "creationOptions": {
                "@odata.type": "microsoft.graph.industryData.securityGroupCreationOptions",
                "createBasedOnRoleGroup": True,
                "createBasedOnOrgPlusRoleGroup": True,
            },
        },
    )
    check("PATCH /securityGroupProvisioningFlow answers 200", short.status_code == 200 and short.json()["id"] == security.id, short.text)

    second = await session.run()
    check("second run completed", second.status.value == "completed", second)
    made = await groups()
    wanted = {
        "All Staff": {"tim", "tanja"},
        "All Students": {"ada", "ben", "zoë"},
        "Staff - North School": {"tim"},
        "Staff - South School": {"tanja"},
        "Students - North School": {"ada"},
        "Students - South School": {"ben", "zoë"},
    }
    check("the groups of the schools came into being", set(made) == set(wanted), made)
    for name, members in wanted.items():
        listed = (await graph.groups.by_group_id(made[name]).members.get()).value
        check(f"members of {name}", {m.user_principal_name.split("@")[0] for m in listed} == members, listed)

    run_item = industry.runs.by_industry_data_run_id(second.id)
    statistics = await run_item.microsoft_graph_industry_data_get_statistics.get()
    totals = statistics.inbound_totals
    check("statistics of the run", statistics.run_id == second.id and totals.people == 5, statistics)
    check("everybody matched", sum(r.count for r in totals.matched_people_by_role) == 5 and not totals.errors, totals)
    activities = (await run_item.activities.get()).value
    check("an inbound and an outbound activity", len(activities) == 2, activities)

    try:
        await flows.post(
            SecurityGroupProvisioningFlow(
                odata_type="#microsoft.graph.industryData.securityGroupProvisioningFlow", creation_options=options
            )
        )
        check("a second flow of the kind is refused", False)
    except ODataError as error:
        check("a refusal is an ODataError with code and message", error.response_status_code == 409 and error.error.code, error)
    try:
        await industry.years.by_year_time_period_definition_id("nowhere").get()
        check("what is not there is refused", False)
    except ODataError as error:
        check("404 as ODataError", error.response_status_code == 404 and error.error.code == "NotFound", error)

    group = await graph.groups.post(Group(display_name="By hand", mail_enabled=False, mail_nickname="byhand", security_enabled=True))
    await graph.groups.by_group_id(group.id).delete()
    check("a group made and deleted", "By hand" not in await groups())


if __name__ == "__main__":
    witness(main_job)
