"""Routes of this room below /api/v1/."""

from django.urls import path

from apps.core.api.objects import kind_urls
from apps.pools import api, api_migration, api_plans, api_rollout, api_tree
from apps.pools.kinds import PoolKind

_POOL = "teams/<slug:team>/pools/<slug:name>"

urlpatterns = [
    path("teams/<slug:team>/import", api_plans.ImportView.as_view(), name="import"),
    path("plan", api_plans.PlanBundleView.as_view(), name="plan"),
    *kind_urls(PoolKind()),
    path(f"{_POOL}/targets", api.TargetsView.as_view(), name="pools-targets"),
    path(f"{_POOL}/revisions", api.RevisionsView.as_view(), name="pools-revisions"),
    path(f"{_POOL}/plan", api_plans.PlanView.as_view(), name="pools-plan"),
    path(f"{_POOL}/migration", api_migration.MigrationView.as_view(), name="pools-migration"),
    path(f"{_POOL}/plans", api_plans.PlansView.as_view(), name="pools-plans"),
    path(f"{_POOL}/plans/<int:number>", api_plans.PlanDetailView.as_view(), name="pools-plan-detail"),
    path(f"{_POOL}/plans/<int:number>/apply", api_plans.PlanApplyView.as_view(), name="pools-plan-apply"),
    path(f"{_POOL}/revisions/<int:before>/diff/<int:after>", api.RevisionDiffView.as_view(), name="pools-diff"),
    path(f"{_POOL}/revisions/<int:generation>/rollback", api.RollbackView.as_view(), name="pools-rollback"),
    path(f"{_POOL}/replicas", api.ReplicasView.as_view(), name="pools-replicas"),
    path(f"{_POOL}/rollout", api_rollout.RolloutView.as_view(), name="pools-rollout"),
    path(f"{_POOL}/tree", api_tree.TreeView.as_view(), name="pools-tree"),
    path(f"{_POOL}/pods/<str:pod>/logs", api_tree.LogsView.as_view(), name="pools-pod-logs"),
    path(f"{_POOL}/selected", api.SelectedView.as_view(), name="pools-selected"),
    path(f"{_POOL}/objects", api.ObjectsView.as_view(), name="pools-objects"),
]
