"""The whole URL space on one screen; router and OpenAPI document are both made from it."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from hunter.core.scopes import PUBLIC, Access, Scope
from hunter.ops.server import PROBES
from hunter.store import audit
from hunter.store.alert_endpoints import Endpoint
from hunter.store.alert_rules import DryRun, Rule
from hunter.store.alerts import Alert, Delivery
from hunter.store.api_keys import ApiKey
from hunter.store.ingests import Batch
from hunter.store.job_desk import JobDesk
from hunter.store.jobs import JobProgress
from hunter.store.lead_notes import Label
from hunter.store.pages import Page
from hunter.store.schedule import State
from hunter.store.suppressions import Suppression
from hunter.web import (
    admin,
    alert_endpoints,
    alert_rules,
    alerts,
    api_keys,
    assets,
    calibration,
    changes,
    contacts,
    dashboard,
    events,
    exports,
    home,
    ingests,
    leads,
    notes,
    pages,
    past,
    pushes,
    rescans,
    scans,
    summaries,
)
from hunter.web.admission import Load
from hunter.web.alert_requests import (
    AlertsQuery,
    DeliveriesQuery,
    DryRunQuery,
    EndpointBody,
    EndpointEdit,
    Filters,
    ReplayBody,
    RotateBody,
    RuleBody,
)
from hunter.web.calibration import CalibrationView
from hunter.web.contacts import ContactsView, EnrichView
from hunter.web.explanation import ExplanationView
from hunter.web.middleware import API, answer_expectation
from hunter.web.pages import PageLeadsQuery
from hunter.web.policies import POLICIES, Policies, Policy
from hunter.web.problems import Kind
from hunter.web.receipts import BatchView, CompanyView, JobView, PushView, RejectView
from hunter.web.requests import (
    AuditQuery,
    BulkRequest,
    CalibrationQuery,
    ChangesQuery,
    CompanyRequest,
    DepthQuery,
    DeskQuery,
    EnrichRequest,
    ExportQuery,
    IngestQuery,
    JobsQuery,
    KeyChange,
    LanguageQuery,
    LeadChangesQuery,
    LeadQuery,
    LeadsQuery,
    NewKeyRequest,
    NoQuery,
    PageQuery,
    RejectsQuery,
    ReportQuery,
    RescanRequest,
    ResultsQuery,
    RotateRequest,
    ScanRequest,
)
from hunter.web.schema import read_query
from hunter.web.views import (
    LeadItem,
    LeadView,
    ResultView,
    SalesSummary,
    ScoreBreakdown,
    TenantView,
)

_JSON: Final = "application/json"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation: where it is, who handles it, what goes in and out."""

    method: str
    path: str
    #: the right a key needs for it, or PUBLIC; required, so that no route is open by oversight
    scope: Access
    handler: Handler
    summary: str
    #: type of the query string
    query: Any = None
    #: content types of the body; for JSON its type, for others a sentence
    body: dict[str, Any] = {}
    #: status to type of the answer; several where the query decides
    answers: dict[int, Any] = {}
    #: a signed body lets a caller in without a key
    takes_signature: bool = False
    #: lives under /api/v1, and at the earlier system's unversioned path too
    versioned: bool = True
    #: HTML of Hunter's own page and what belongs to it; the API document leaves it out
    is_page: bool = False
    #: what it costs, where method and body do not say; STREAM for connections that stay open
    load: Load | None = None

    @property
    def cost(self) -> Load:
        """Reads, small writes and uploads have places of their own, so that none crowds out another."""
        if self.load is not None:
            return self.load
        if self.method == "GET":
            return Load.READ
        return Load.BULK if any(kind != _JSON for kind in self.body) else Load.WRITE


_NAMES: Final = {
    "application/json": BulkRequest,
    "application/x-ndjson": 'One name a line, "contoso.com" or {"domain": "contoso.com"}.',
    "text/plain": "One name a line.",
}
_PUSHED: Final = {
    "application/json": "A lead or a list of leads: objects with a domain, website or email and a company, flat or nested as HubSpot, Typeform and others send them.",
}
_FILE: Final = {
    "multipart/form-data": "The file in a field named file.",
    "text/csv": "A CSV of any delimiter and encoding.",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "A spreadsheet.",
}


def _route(  # noqa: PLR0917  # a row of the table below
    method: str,
    path: str,
    scope: Access,
    handler: Handler,
    summary: str,
    answer: Any = None,
    **more: Any,
) -> Route:
    answers = {more.pop("status", 200): answer}
    return Route(
        method=method,
        path=path,
        scope=scope,
        handler=handler,
        summary=summary,
        answers=answers,
        **more,
    )


_page = partial(_route, versioned=False, is_page=True)

# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    _route("POST", "/ingest/domain", Scope.SCAN_WRITE, ingests.ingest_domain, "Take in one company and scan it", CompanyView, status=202, body={_JSON: CompanyRequest}),
    _route("POST", "/ingest/csv", Scope.SCAN_WRITE, ingests.ingest_csv, "Take in a file of companies and scan them", BatchView, status=202, body=_FILE, query=IngestQuery),
    Route(method="POST", path="/ingest/webhook", scope=Scope.SCAN_WRITE, handler=pushes.ingest_webhook, summary="Take in leads that another system pushes, and scan them", answers={200: PushView, 202: PushView}, body=_PUSHED, query=IngestQuery, takes_signature=True),
    _route("GET", "/ingest/batches/{batch_id}", Scope.SCAN_READ, ingests.show_batch, "How a file came out", Batch),
    _route("GET", "/ingest/batches/{batch_id}/rejects", Scope.SCAN_READ, ingests.batch_rejects, "Rows of a file that gave no company: a page, or all as NDJSON, CSV or XLSX", Page[RejectView], query=RejectsQuery),

    Route(method="POST", path="/scan/domain", scope=Scope.SCAN_WRITE, handler=scans.scan_domain, summary="Scan one domain; Prefer: wait=N waits for the result", answers={200: ResultView, 202: JobView}, body={_JSON: ScanRequest}, query=DepthQuery),
    _route("POST", "/scan/bulk", Scope.SCAN_WRITE, scans.scan_bulk, "Scan up to 1,000,000 domains", JobView, status=202, body=_NAMES, query=DepthQuery),
    Route(method="POST", path="/scan/bulk/rescan", scope=Scope.SCAN_WRITE, handler=rescans.rescan_bulk, summary="Scan known leads again, listed or by a filter; Prefer: wait=N waits for the changes found", answers={200: rescans.RescanView, 202: JobView}, body={_JSON: RescanRequest}, load=Load.BULK),
    Route(method="POST", path="/scan/{domain}/rescan", scope=Scope.SCAN_WRITE, handler=rescans.rescan_domain, summary="Scan a known lead again; Prefer: wait=N waits for the changes found", answers={200: rescans.RescanView, 202: JobView}, query=DepthQuery),
    _route("GET", "/scan/bulk", Scope.SCAN_READ, scans.list_jobs, "Bulk scans, newest first", Page[JobProgress], query=JobsQuery),
    _route("GET", "/scan/bulk/{job_id}", Scope.SCAN_READ, scans.show_job, "How far a scan is", JobProgress),
    _route("GET", "/scan/bulk/{job_id}/results", Scope.SCAN_READ, scans.job_results, "Results: a page as JSON, or all as NDJSON, CSV or XLSX", Page[ResultView], query=ResultsQuery),
    _route("GET", "/scan/bulk/{job_id}/events", Scope.SCAN_READ, events.job_events, "Progress as server-sent events: progress again and again, end once; Last-Event-ID goes on where it was", load=Load.STREAM),
    _route("GET", "/scan/bulk/{job_id}/rejects", Scope.SCAN_READ, scans.job_rejects, "Names of a scan that are no domains: a page, or all as NDJSON, CSV or XLSX", Page[RejectView], query=RejectsQuery),
    _route("POST", "/scan/bulk/{job_id}/cancel", Scope.SCAN_WRITE, scans.cancel_job, "Stop a scan; what is done stays", JobProgress),
    _route("POST", "/scan/bulk/{job_id}/redrive", Scope.SCAN_WRITE, scans.redrive_job, "Scan again, as a new job, what failed in a finished one", JobProgress, status=202),

    _route("GET", "/leads", Scope.LEADS_READ, leads.index, "Leads, those to call first on top; fields=domain,score tells only those of each", (Page[LeadItem], Page[dict[str, Any]]), query=LeadsQuery),
    _route("GET", "/leads/export", Scope.EXPORT_READ, exports.export_leads, "Leads as a file: CSV, XLSX or NDJSON, for people or for Dynamics 365", query=ExportQuery),
    _route("GET", "/tenants", Scope.LEADS_READ, leads.by_tenant, "Microsoft tenants with their domains, those to call first on top", Page[TenantView], query=PageQuery),
    _route("PATCH", "/leads/{domain}", Scope.LEADS_WRITE, notes.edit_lead, "Change notes, mark, tags and favourite of a lead; If-Match holds it to a version", LeadView, body={_JSON: notes.LeadEdit, "application/merge-patch+json": notes.LeadEdit}, query=LanguageQuery),
    _route("DELETE", "/leads/{domain}", Scope.LEADS_WRITE, notes.delete_lead, "Delete every row of a name, for good: it is never stored again until an administrator lifts that", status=204),
    _route("PUT", "/leads/{domain}/tags/{tag}", Scope.LEADS_WRITE, notes.add_tag, "Tag a lead", LeadView, query=LanguageQuery),
    _route("DELETE", "/leads/{domain}/tags/{tag}", Scope.LEADS_WRITE, notes.remove_tag, "Take a tag off a lead", LeadView, query=LanguageQuery),
    _route("PUT", "/leads/{domain}/favourite", Scope.LEADS_WRITE, notes.favour, "Make a lead a favourite", LeadView, query=LanguageQuery),
    _route("DELETE", "/leads/{domain}/favourite", Scope.LEADS_WRITE, notes.unfavour, "Make a lead no favourite", LeadView, query=LanguageQuery),
    _route("POST", "/leads/{domain}/label", Scope.LEADS_WRITE, notes.add_label, "Say what is right where Hunter is wrong", Label, status=201, body={_JSON: notes.LabelRequest}),
    _route("GET", "/leads/{domain}/labels", Scope.LEADS_READ, notes.list_labels, "What people said of a lead, newest first", Page[Label], query=PageQuery),
    _route("GET", "/leads/{domain}", Scope.LEADS_READ, past.show, "A lead with its evidence; as_of=2026-01-31 as it was known then", (LeadView, past.ComparisonView), query=LeadQuery),
    _route("GET", "/leads/{domain}/history", Scope.LEADS_READ, changes.lead_history, "What was seen of a lead over time, newest first", Page[changes.ObservationView], query=PageQuery),
    _route("GET", "/leads/{domain}/changes", Scope.LEADS_READ, changes.lead_changes, "What became different about a lead, and what waits for a second look", changes.LeadChanges, query=LeadChangesQuery),
    _route("GET", "/changes", Scope.LEADS_READ, changes.all_changes, "What became different about all leads, newest first", Page[changes.ChangeView], query=ChangesQuery),
    _route("GET", "/leads/{domain}/score-breakdown", Scope.LEADS_READ, leads.breakdown, "The lines a lead's score adds up from", ScoreBreakdown),
    _route("GET", "/leads/{domain}/explain", Scope.LEADS_READ, leads.explained, "The chain of reasoning about a lead, and what would change it", ExplanationView, query=LanguageQuery),
    _route("POST", "/leads/{domain}/enrich", Scope.LEADS_WRITE, contacts.enrich, "Add people to a lead, or renew what is known of them", EnrichView, body={_JSON: EnrichRequest}),
    _route("GET", "/leads/{domain}/contacts", Scope.LEADS_READ, contacts.list_contacts, "The people of a lead", ContactsView),
    _route("DELETE", "/leads/{domain}/contacts/{contact_id}", Scope.LEADS_WRITE, contacts.forget_contact, "Forget a person", status=204),
    _route("GET", "/leads/{domain}/summary.pdf", Scope.LEADS_READ, summaries.summary_pdf, "One page about a lead, for a manager or the customer, as PDF", query=ReportQuery),
    _route("GET", "/leads/{domain}/sales-summary", Scope.LEADS_READ, leads.sales_summary, "What to say to a lead: what they run, why now, what to ask, which offer", SalesSummary, query=LanguageQuery),

    _route("GET", "/alerts", Scope.ALERTS_ADMIN, alerts.index, "Matches of alert rules and changes, newest first", Page[Alert], query=AlertsQuery),
    _route("POST", "/alerts/{alert_id}/acknowledge", Scope.ALERTS_ADMIN, alerts.acknowledge, "Note that somebody has seen to an alert", Alert),
    _route("GET", "/alerts/rules", Scope.ALERTS_ADMIN, alert_rules.index, "Alert rules, newest first", Page[Rule], query=PageQuery),
    _route("POST", "/alerts/rules", Scope.ALERTS_ADMIN, alert_rules.create, "Make an alert rule", Rule, status=201, body={_JSON: RuleBody}),
    _route("POST", "/alerts/rules/dry-run", Scope.ALERTS_ADMIN, alert_rules.dry_run_new, "How often filters would have fired, with the latest changes; nothing is sent", DryRun, body={_JSON: Filters}, query=DryRunQuery),
    _route("GET", "/alerts/rules/{rule_id}", Scope.ALERTS_ADMIN, alert_rules.show, "An alert rule", Rule),
    _route("PUT", "/alerts/rules/{rule_id}", Scope.ALERTS_ADMIN, alert_rules.replace, "Make an alert rule another", Rule, body={_JSON: RuleBody}),
    _route("DELETE", "/alerts/rules/{rule_id}", Scope.ALERTS_ADMIN, alert_rules.delete, "Delete an alert rule; what it has not told yet is not told", status=204),
    _route("POST", "/alerts/rules/{rule_id}/test", Scope.ALERTS_ADMIN, alert_rules.test, "Send a test message to a rule's endpoints and say what they answered", alert_rules.TestResult),
    _route("POST", "/alerts/rules/{rule_id}/dry-run", Scope.ALERTS_ADMIN, alert_rules.dry_run, "How often a rule would have fired, with the latest changes; nothing is sent", DryRun, query=DryRunQuery),
    _route("GET", "/alerts/endpoints", Scope.ALERTS_ADMIN, alert_endpoints.index, "Where alerts go, newest first", Page[Endpoint], query=PageQuery),
    _route("POST", "/alerts/endpoints", Scope.ALERTS_ADMIN, alert_endpoints.create, "Make an endpoint; the secret of a webhook is shown this once", alert_endpoints.EndpointCreated, status=201, body={_JSON: EndpointBody}),
    _route("GET", "/alerts/endpoints/{endpoint_id}", Scope.ALERTS_ADMIN, alert_endpoints.show, "An endpoint and how it does", Endpoint),
    _route("PATCH", "/alerts/endpoints/{endpoint_id}", Scope.ALERTS_ADMIN, alert_endpoints.edit, "Change an endpoint, switch it off or on", Endpoint, body={_JSON: EndpointEdit}),
    _route("POST", "/alerts/endpoints/{endpoint_id}/rotate", Scope.ALERTS_ADMIN, alert_endpoints.rotate, "Give a webhook a new secret; the old one signs too for a while", alert_endpoints.SecretRotated, body={_JSON: RotateBody}),
    _route("DELETE", "/alerts/endpoints/{endpoint_id}", Scope.ALERTS_ADMIN, alert_endpoints.delete, "Delete an endpoint that no rule tells", status=204),
    _route("GET", "/alerts/deliveries", Scope.ALERTS_ADMIN, alerts.deliveries, "Messages, newest first", Page[Delivery], query=DeliveriesQuery),
    _route("POST", "/alerts/deliveries/replay", Scope.ALERTS_ADMIN, alerts.replay_span, "Send the messages of a stretch of time again", alerts.Replayed, status=202, body={_JSON: ReplayBody}),
    _route("GET", "/alerts/deliveries/{delivery_id}", Scope.ALERTS_ADMIN, alerts.delivery, "A message with its tries", alerts.DeliveryView),
    _route("POST", "/alerts/deliveries/{delivery_id}/replay", Scope.ALERTS_ADMIN, alerts.replay, "Send a message again, the same under the same id", Delivery, status=202),
    _route("GET", "/dashboard", Scope.LEADS_READ, dashboard.show_dashboard, "Counts, top movers and whom to call first", dashboard.DashboardView),
    _route("GET", "/dashboard/kpis", Scope.LEADS_READ, dashboard.show_kpis, "How many leads of which kind, and what happened by day", dashboard.KpiView),

    _route("GET", "/admin/suppressions", Scope.ADMIN, notes.list_suppressions, "Names that are never stored again, of which only a digest is kept", Page[Suppression], query=notes.SuppressionsQuery),
    _route("POST", "/admin/suppressions", Scope.ADMIN, notes.suppress, "Delete every row of a name and suppress it, lead or not", Suppression, status=201, body={_JSON: notes.SuppressRequest}),
    _route("DELETE", "/admin/suppressions/{suppression_id}", Scope.ADMIN, notes.lift_suppression, "Let a name be stored again", status=204),
    _route("GET", "/admin/labels", Scope.ADMIN, notes.labelled_leads, "Labelled leads with their observations as NDJSON, for hunter rules fit"),
    _route("GET", "/admin/jobs", Scope.ADMIN, admin.list_jobs, "Jobs of every lane and state: what waits, since when, and what was given up", Page[JobDesk], query=DeskQuery),
    _route("POST", "/admin/jobs/{job_id}/cancel", Scope.ADMIN, admin.cancel_job, "Stop a job of any lane; what is done stays", JobProgress),
    _route("POST", "/admin/jobs/{job_id}/redrive", Scope.ADMIN, admin.redrive_job, "Scan again, as a new job, what failed in a finished one of any lane", JobProgress, status=202),
    _route("GET", "/admin/schedule", Scope.ADMIN, rescans.show_schedule, "Scans that Hunter makes by itself: what is due, paused, or held", State),
    _route("POST", "/admin/schedule/pause", Scope.ADMIN, rescans.pause_schedule, "Scan no lead by itself until resumed", State),
    _route("POST", "/admin/schedule/resume", Scope.ADMIN, rescans.resume_schedule, "Scan leads by itself again", State),
    _route("POST", "/admin/schedule/release", Scope.ADMIN, rescans.release_schedule, "For an hour, confirm changes however many there are: an operator has looked", State),
    _route("GET", "/admin/rules", Scope.ADMIN, admin.show_rules, "The rules in force, their files, and how re-judging by them goes", admin.RulesView),
    _route("GET", "/admin/audit", Scope.ADMIN, admin.audit_log, "Every write, newest first: who, what, which, when", Page[audit.Entry], query=AuditQuery),
    _route("GET", "/admin/api-keys", Scope.ADMIN, api_keys.index, "Keys, newest first; never their secrets", Page[ApiKey], query=PageQuery),
    _route("POST", "/admin/api-keys", Scope.ADMIN, api_keys.create, "Make a key; its text is told here and never again", api_keys.NewKeyView, status=201, body={_JSON: NewKeyRequest}),
    _route("GET", "/admin/api-keys/{key_id}", Scope.ADMIN, api_keys.show, "A key", ApiKey),
    _route("PATCH", "/admin/api-keys/{key_id}", Scope.ADMIN, api_keys.change, "Change name, scopes, limits, quota or end of a key", ApiKey, body={_JSON: KeyChange}),
    _route("POST", "/admin/api-keys/{key_id}/rotate", Scope.ADMIN, api_keys.rotate, "Another secret for a key; the one before counts a while longer", api_keys.NewKeyView, body={_JSON: RotateRequest}),
    _route("DELETE", "/admin/api-keys/{key_id}", Scope.ADMIN, api_keys.revoke, "Revoke a key; every process refuses it within 30 s", ApiKey),
    _route("GET", "/calibration", Scope.LEADS_READ, calibration.show, "How far the probabilities can be trusted, and what they rest on", CalibrationView, query=CalibrationQuery),

    _route("GET", "/", PUBLIC, home.front, "What this is and where things are; a page for browsers", home.Front, versioned=False, query=LanguageQuery),
    _route("GET", "/openapi.json", PUBLIC, home.openapi, "This document", dict[str, Any], versioned=False),
    _route("GET", "/problems/{slug}", PUBLIC, home.problem, "What a problem type means", Kind, versioned=False),

    _page("GET", "/docs", PUBLIC, pages.docs, "The API document to read and try"),
    _page("GET", "/static/{name}", PUBLIC, assets.serve, "A file of a page"),
    _page("GET", "/ui/leads", Scope.LEADS_READ, pages.list_leads, "Rows of the list", query=PageLeadsQuery),
    _page("GET", "/ui/leads/{domain}", Scope.LEADS_READ, pages.show_lead, "A lead with what proves it", query=LanguageQuery),
    _page("POST", "/ui/ingest", Scope.SCAN_WRITE, pages.upload, "A company list sent", query=LanguageQuery),
    _page("GET", "/ui/batches/{batch_id}", Scope.SCAN_READ, pages.show_batch, "How a list is doing", query=LanguageQuery),
)
# fmt: on


def add_routes(app: web.Application) -> None:
    """Every operation under /api/v1, and the versioned ones at their earlier path as well."""
    current: list[web.RouteDef] = []
    earlier: list[web.RouteDef] = []
    for route in sorted(ROUTES, key=_place):
        handler = route.handler if route.query else _without_query(route.handler)
        path = _router_path(route.path)
        add = web.route(route.method, path, handler, expect_handler=answer_expectation)
        if route.method == "GET":
            add = web.get(path, handler, expect_handler=answer_expectation)
        if route.versioned:
            current.append(web.RouteDef(add.method, API + add.path, add.handler, add.kwargs))
        (earlier if route.versioned else current).append(add)
    app.router.add_routes(current + earlier)
    app[POLICIES] = _policies(app)


def _place(route: Route) -> tuple[int, str]:
    """Short paths first: the router tries those with variables one by one, and reads are short.

    Methods of one path stand together, which makes them one resource.
    """
    return route.path.count("/"), route.path


def _router_path(path: str) -> str:
    """The path whose last variable is none of the words that stand in its place elsewhere.

    Otherwise `PUT /alerts/rules/dry-run` would look for a rule of that name.
    """
    before, _, last = path.rpartition("/")
    if not last.startswith("{"):
        return path
    words = {
        word
        for place, _, word in (route.path.rpartition("/") for route in ROUTES)
        if place == before and word and not word.startswith("{")
    }
    if not words:
        return path
    return f"{before}/{{{last.strip('{}')}:(?!(?:{'|'.join(sorted(words))})$)[^{{}}/]+}}"


def _policies(app: web.Application) -> Policies:
    """The policy of every route of the router; RuntimeError names those that have none."""
    known = {("GET", path): Policy(endpoint=path, scope=PUBLIC, load=Load.PROBE) for path in PROBES}
    for route in ROUTES:
        paths = (API + route.path, route.path) if route.versioned else (route.path,)
        for path in paths:
            known[route.method, path] = Policy(
                endpoint=path,
                scope=route.scope,
                takes_signature=route.takes_signature,
                load=route.cost,
                action="" if route.method == "GET" else _action(route.handler),
                is_earlier=route.versioned and path == route.path,
            )
    found: Policies = {}
    for each in app.router.routes():
        path = each.resource.canonical if each.resource else ""
        policy = known.get(("GET" if each.method == "HEAD" else each.method, path))
        if policy is None:
            raise RuntimeError(f"{each.method} {path} says neither a scope nor PUBLIC")
        found[each] = policy
    return found


def _action(handler: Handler) -> str:
    return f"{handler.__module__.rpartition('.')[2]}.{handler.__name__}"


def _without_query(handler: Handler) -> Handler:
    """The handler behind a refusal of parameters, which would otherwise be ignored in silence."""

    async def checked(request: web.Request) -> web.StreamResponse:
        read_query(request, NoQuery)
        return await handler(request)

    return checked
