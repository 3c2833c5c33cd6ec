"""Every page that the browser opens, by who opens it: a new page is one line here.

Names in braces are participants of tests/web/city.py, and its community.
"""

from typing import Final

PUBLIC: Final = [
    "/accounts/sign-in",
    "/log",
    "/receipts/check",
]
PAGES: Final = {
    "alice": [
        "/household/{alice}/",
        "/member/{alice}/statement/",
        "/member/{alice}/months/",
        "/member/{alice}/gaps/",
        "/member/{alice}/expected/",
        "/member/{alice}/agreements/",
        "/member/{alice}/certificates/",
        "/community/{community}/",
    ],
    "erin": [
        "/enterprise/{erin}/",
        "/catalogue",
        "/catalogue/1",
        "/catalogue/2",
        "/catalogue/2/quality",
        "/market",
        "/market/requests",
        "/market/requests/1",
        "/market/contracts",
        "/market/contracts/new?product=1",
        "/market/contracts/1",
        "/market/contracts/1/revoke",
        "/market/deliveries",
        "/market/deliveries/1",
        "/market/feeds",
        "/market/feeds/3",
        "/market/charges",
        "/market/disputes",
        "/market/disputes/1",
        "/market/invoices",
        "/market/invoices/1",
        "/notices",
    ],
    "dora": [
        "/market/demand",
        "/market/disputes/1",
        "/market/products",
        "/market/products/new",
        "/market/products/3",
        "/market/products/3/terms",
        "/market/versions/3",
    ],
    "paul": ["/planner/{paul}/", "/indicators"],
    "olga": [
        "/operator/{olga}/",
        "/operator/{olga}/gaps/{community}/",
        "/market/disputes",
        "/market/disputes/1",
    ],
}
