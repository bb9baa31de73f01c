"""Names that people and distributors use for the columns that Apportion reads.

Belongs here: pairs of a column's usual names and our own name for it, as data. A word that has two
meanings in practice (price, total, status) is left out: a wrong suggestion costs more than none.
"""

from dagster_project.feeds.formats import match_key


def word_key(header: str) -> str:
    """The letters and digits of a header in lower case, of any script."""
    return "".join(each for each in header.casefold() if each.isalnum())


_NAMES: tuple[tuple[str, str], ...] = (
    ("Quantity", "qty seats units licenses licences license-count menge anzahl stück 数量"),
    ("Quantity", "billed-quantity ライセンス数"),
    ("Total Cost", "cost costs cost-total extended-cost line-cost partner-cost reseller-cost"),
    ("Total Cost", "net-amount net-cost line-total amount betrag nettobetrag kosten gesamtkosten"),
    ("Total Cost", "金額 合計金額 費用"),
    ("Subtotal", "net-amount amount net betrag nettobetrag pretax-total 小計 金額"),
    ("Amount", "budget forecast betrag planned plan prognose 予算 予測 金額"),
    ("Total Sales", "sales sales-total customer-price retail-total resale-total umsatz 売上"),
    ("Unit Price", "unit-cost price-per-unit cost-per-unit einzelpreis stückpreis 単価"),
    ("Product Name", "product item item-name item-description description offer offer-name"),
    ("Product Name", "service produkt produktname artikel bezeichnung 製品 製品名 商品名 品名"),
    ("Product", "product-name item produkt artikel 製品 製品名"),
    ("Subscription ID", "subscription subscription-number subscription-guid sub-id plan-id"),
    ("Subscription ID", "plan abonnement abo abonnement-nr サブスクリプション"),
    ("Subscription ID", "サブスクリプションid"),
    ("Organization", "customer customer-name company company-name client client-name"),
    ("Organization", "end-customer end-user organisation kunde kundenname firma mandant"),
    ("Organization", "顧客 顧客名 会社名 組織"),
    ("Charge Start Date", "start start-date from period-start start-period service-start"),
    ("Charge Start Date", "service-period-start billing-start von beginn startdatum 開始日"),
    ("Charge End Date", "end end-date to period-end end-period service-end billing-end"),
    ("Charge End Date", "service-period-end bis ende enddatum 終了日"),
    ("Invoice Number", "invoice invoice-no invoice-nr invoice-num invoice-id bill-number"),
    ("Invoice Number", "document-number rechnung rechnungsnummer rechnungsnr 請求書番号"),
    ("Billing Date", "invoice-date bill-date document-date rechnungsdatum 請求日"),
    ("Invoice Date", "billing-date bill-date date rechnungsdatum datum 請求日"),
    ("Currency", "currency-code curr ccy währung waehrung 通貨"),
    ("Charge Type", "type transaction-type line-type charge action vorgang 種別"),
    ("Billing Line Details", "details line-details einzelheiten 明細"),
    ("SKU ID", "sku mpn part-number vendor-sku artikelnummer 型番"),
    ("SKU", "sku-id mpn part-number artikelnummer 型番"),
    ("Reference ID", "reference line-id transaction-id belegnummer"),
    ("Cost Center ID", "cost-center cost-centre cost-center-code kostenstelle コストセンター"),
    ("Cost Center", "cost-centre cost-center-name department kostenstelle abteilung 部門"),
    ("Name", "cost-center-name department department-name bezeichnung 部門名 名称"),
    ("Allocated Quantity", "allocated allocation assigned assigned-quantity zugeteilt 割当数"),
    ("Total Quantity", "total-licenses licenses quantity qty seats gesamtmenge 総数"),
    ("Datetime", "date effective-date changed-at timestamp datum zeitpunkt 日時 日付"),
    ("Event", "event-name change action ereignis イベント"),
    ("Month", "period monat 月 年月"),
    ("Valid From", "from start start-date gültig-ab ab 開始日"),
    ("Valid To", "to end end-date gültig-bis bis 終了日"),
)

NAMES: dict[str, frozenset[str]] = {
    target: frozenset(
        word_key(word)
        for each, words in _NAMES
        if match_key(each) == target
        for word in words.split()
    )
    for target in {match_key(each) for each, _ in _NAMES}
}
"""Usual names of a column by the match key of our name for it."""
