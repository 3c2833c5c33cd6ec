"""The map of the house. Views need sign-in unless `config.public_views` names them."""

from django.contrib.auth import views as auth
from django.urls import URLPattern, URLResolver, include, path

from config.web import accounts, health, indicators, notice_mails, notices

urlpatterns: list[URLPattern | URLResolver] = [
    path("", accounts.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("indicators", indicators.indicators, name="indicators"),
    path("indicators/<slug:topic>.json", indicators.indicators_json, name="indicators_json"),
    path("indicators/<slug:topic>.csv", indicators.indicators_csv, name="indicators_csv"),
    path("notices", notices.notices, name="notices"),
    path("notices/mails", notice_mails.mail_settings, name="mail_settings"),
    path("notices/mails/stop/<str:token>", notice_mails.mail_stop, name="mail_stop"),
    path("language", accounts.choose_language, name="set_language"),
    path("accounts/sign-in", accounts.SignIn.as_view(), name="sign_in"),
    path("accounts/sign-out", auth.LogoutView.as_view(), name="sign_out"),
    path("accounts/password", auth.PasswordResetView.as_view(), name="password_reset"),
    path(
        "accounts/password/sent", auth.PasswordResetDoneView.as_view(), name="password_reset_done"
    ),
    path(
        "accounts/password/<uidb64>/<token>",
        auth.PasswordResetConfirmView.as_view(),
        name="password_reset_confirm",
    ),
    path(
        "accounts/password/changed",
        auth.PasswordResetCompleteView.as_view(),
        name="password_reset_complete",
    ),
    path("api/", include("config.api.urls")),
    path("log/", include("config.log.urls")),
    path("feeds/", include("marketplace.api.feed_urls")),
    path("", include("config.web.urls")),
    path("", include("config.web.public_urls")),
    path("", include("config.web.join_urls")),
    path("", include("config.web.operator_urls")),
    path("", include("config.web.provider_urls")),
    path("", include("config.web.city_urls")),
    path("", include("config.web.what_if_urls")),
    path("", include("config.web.rule_set_urls")),
    path("", include("config.web.expected_urls")),
    path("", include("config.web.household_urls")),
    path("", include("config.web.gap_urls")),
    path("", include("config.web.receipt_urls")),
    path("", include("config.web.certificate_urls")),
    path("", include("config.web.billing_urls")),
    path("", include("config.web.order_urls")),
    path("", include("config.web.data.urls")),
]
