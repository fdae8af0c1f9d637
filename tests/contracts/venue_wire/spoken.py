"""How each protocol is spoken by a test that uses plain ccxt: one entry a protocol, the cases are the same for all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Spoken:
    """One protocol. `codes` are its codes for what all venues refuse; `code_form` is how one stands in a body."""

    exchange_id: str
    options: Mapping[str, Any]
    sol: str
    """SOL's perpetual by the venue's own name."""
    nope: str
    """The same of an asset that it does not list."""
    client_id_parameter: str
    query: Mapping[str, Any]
    """Further parameters of an order's query."""
    place: str
    """ccxt's name of the endpoint that takes orders."""
    order: Mapping[str, Any]
    """One SOL bought at the market, as the venue reads it."""
    wrong_orders: Mapping[str, Mapping[str, Any]]
    """What is changed in that order to be refused, by the name of the refusal."""
    book: str
    """ccxt's name of the endpoint that answers books."""
    symbol_parameter: str
    book_parameters: Mapping[str, Any]
    best_prices: str
    """ccxt's method that answers the best prices of all symbols in one request."""
    code_form: str
    codes: Mapping[str, int | str]
    credentials: tuple[str, ...] = ("apiKey", "secret")
    contract_size: float = 1
    """SOL in one contract: ccxt speaks contracts."""
    create_says_the_outcome: bool = False
    margin_mode_can_be_set: bool = True
    client_id_form: str = "{}"
    payments_have_ids: bool = True
    position_mode_can_be_read: bool = True
    """Whether ccxt can; the venue can always."""
    funding_rates: str = "fetch_funding_rates"
    funding_intervals: str = "fetch_funding_rates"
    """ccxt's methods that answer the next settlement, and the interval."""
    settle: str = "USDT"
    """What contracts settle in."""
    has_hedge_mode: bool = True
    signs_readings: bool = True
    market_orders_need_a_price: bool = False
    hexadecimal_client_ids: bool = False
    setting_again_is_refused: Mapping[str, str] = field(default_factory=dict)
    """ccxt's method and the code with which the venue refuses a setting that it has already."""
    notional_min: float | None = None
    beyond_the_book: str = ""
    """The raw state of an order that the book could not fill."""

    def code(self, refusal: str) -> str:
        """The code of this refusal, as it stands in the body."""
        return self.code_form.format(self.codes[refusal])


SPOKEN: Mapping[str, Spoken] = {
    "binance": Spoken(
        exchange_id="binanceusdm",
        options={"fetchCurrencies": False, "fetchMargins": False},
        sol="SOLUSDT",
        nope="NOPEUSDT",
        client_id_parameter="origClientOrderId",
        query={},
        place="fapiPrivatePostOrder",
        order={"symbol": "SOLUSDT", "side": "BUY", "type": "MARKET", "quantity": "1"},
        wrong_orders={
            "unknown_symbol": {"symbol": "NOPEUSDT"},
            "quantity_step": {"quantity": "1.05"},
            "quantity_zero": {"quantity": "0"},
            "quantity_unreadable": {"quantity": "abc"},
            "quantity_above_max": {"quantity": "200000"},
            "reduce_only": {"reduceOnly": "true"},
            "side": {"side": "HOLD"},
            "type": {"type": "LIMIT"},
            "client_id": {"newClientOrderId": "x" * 37},
            "position_side": {"positionSide": "LONG"},
            "margin": {"quantity": "1000"},
        },
        book="fapiPublicGetDepth",
        symbol_parameter="symbol",
        best_prices="fetch_bids_asks",
        book_parameters={},
        code_form='"code":{},',
        codes={
            "unknown_symbol": -1121,
            "quantity_step": -1111,
            "quantity_zero": -4003,
            "quantity_unreadable": -1100,
            "quantity_above_max": -4005,
            "reduce_only": -2022,
            "side": -1117,
            "type": -1116,
            "client_id": -4015,
            "position_side": -4061,
            "margin": -2019,
            "notional": -4164,
            "duplicate": -4116,
            "too_late_to_cancel": -2011,
            "leverage": -4028,
            "hedge_mode": -4061,
            "wrong_key": -2015,
            "wrong_secret": -1022,
            "clock": -1021,
            "some_rejection": -4131,
            "unknown_path": -5000,
        },
        create_says_the_outcome=True,
        funding_intervals="fetch_funding_intervals",
        setting_again_is_refused={"margin_mode": "-4046", "position_mode": "-4059"},
        notional_min=5,
        beyond_the_book="EXPIRED",
    ),
    "bybit": Spoken(
        exchange_id="bybit",
        options={
            "enableUnifiedAccount": True,
            "enableUnifiedMargin": False,
            "unifiedMarginStatus": 6,
            "fetchMarkets": {"types": ["linear"]},
        },
        sol="SOLUSDT",
        nope="NOPEUSDT",
        client_id_parameter="orderLinkId",
        query={"acknowledged": True},
        place="privatePostV5OrderCreate",
        order={"category": "linear", "symbol": "SOLUSDT", "side": "Buy", "orderType": "Market", "qty": "1"},
        wrong_orders={
            "unknown_symbol": {"symbol": "NOPEUSDT"},
            "quantity_step": {"qty": "1.05"},
            "quantity_zero": {"qty": "0"},
            "quantity_unreadable": {"qty": "abc"},
            "quantity_above_max": {"qty": "200000"},
            "reduce_only": {"reduceOnly": True},
            "side": {"side": "Hold"},
            "type": {"orderType": "Limit"},
            "client_id": {"orderLinkId": "x" * 37},
            "position_side": {"positionIdx": 1},
            "margin": {"qty": "1000"},
        },
        book="publicGetV5MarketOrderbook",
        symbol_parameter="symbol",
        best_prices="fetch_bids_asks",
        book_parameters={"category": "linear"},
        code_form='"retCode":{},',
        codes={
            "unknown_symbol": 10001,
            "quantity_step": 10001,
            "quantity_zero": 10001,
            "quantity_unreadable": 10001,
            "quantity_above_max": 10001,
            "reduce_only": 110017,
            "side": 10001,
            "type": 10001,
            "client_id": 10001,
            "position_side": 10001,
            "margin": 110007,
            "notional": 110094,
            "duplicate": 110072,
            "too_late_to_cancel": 110001,
            "leverage": 110013,
            "hedge_mode": 10001,
            "wrong_key": 10003,
            "wrong_secret": 10004,
            "clock": 10002,
            "some_rejection": 110023,
            "unknown_path": 10017,
        },
        position_mode_can_be_read=False,
        setting_again_is_refused={"leverage": "110043", "position_mode": "110025"},
        notional_min=5,
        beyond_the_book="PartiallyFilledCanceled",
    ),
    "okx": Spoken(
        exchange_id="okx",
        options={"defaultType": "swap", "createOrder": "privatePostTradeOrder", "fetchMarkets": {"types": ["swap"]}},
        sol="SOL-USDT-SWAP",
        nope="NOPE-USDT-SWAP",
        client_id_parameter="clOrdId",
        query={},
        place="privatePostTradeOrder",
        order={
            "instId": "SOL-USDT-SWAP",
            "tdMode": "cross",
            "side": "buy",
            "ordType": "market",
            "sz": "0.1",
            "clOrdId": "raw",
        },
        wrong_orders={
            "unknown_symbol": {"instId": "NOPE-USDT-SWAP"},
            "quantity_step": {"sz": "0.105"},
            "quantity_zero": {"sz": "0"},
            "quantity_unreadable": {"sz": "abc"},
            "quantity_above_max": {"sz": "20000"},
            "reduce_only": {"reduceOnly": True},
            "side": {"side": "hold"},
            "type": {"ordType": "limit"},
            "client_id": {"clOrdId": "x" * 33},
            "position_side": {"posSide": "long"},
            "margin": {"sz": "100"},
        },
        book="publicGetMarketBooks",
        symbol_parameter="instId",
        best_prices="fetch_tickers",
        book_parameters={"sz": 5},
        code_form='"(code|sCode)":"{}"',
        codes={
            "unknown_symbol": 51001,
            "quantity_step": 51121,
            "quantity_zero": 51000,
            "quantity_unreadable": 51000,
            "quantity_above_max": 51202,
            "reduce_only": 51169,
            "side": 51000,
            "type": 51000,
            "client_id": 51000,
            "position_side": 51000,
            "margin": 51008,
            "duplicate": 51016,
            "too_late_to_cancel": 51400,
            "leverage": 59102,
            "hedge_mode": 51000,
            "wrong_key": 50111,
            "wrong_secret": 50113,
            "clock": 50102,
            "some_rejection": 51022,
            "unknown_path": 404,
        },
        credentials=("apiKey", "secret", "password"),
        contract_size=10,
        margin_mode_can_be_set=False,
        beyond_the_book="canceled",
    ),
    "bitget": Spoken(
        exchange_id="bitget",
        options={"uta": False, "defaultType": "swap", "fetchMarkets": {"types": ["swap"]}},
        sol="SOLUSDT",
        nope="NOPEUSDT",
        client_id_parameter="clientOid",
        query={},
        place="privateMixPostV2MixOrderPlaceOrder",
        order={
            "symbol": "SOLUSDT",
            "productType": "USDT-FUTURES",
            "marginMode": "crossed",
            "marginCoin": "USDT",
            "side": "buy",
            "orderType": "market",
            "size": "1",
        },
        wrong_orders={
            "unknown_symbol": {"symbol": "NOPEUSDT"},
            "quantity_step": {"size": "1.05"},
            "quantity_zero": {"size": "0"},
            "quantity_unreadable": {"size": "abc"},
            "quantity_above_max": {"size": "200000"},
            "reduce_only": {"reduceOnly": "YES"},
            "side": {"side": "hold"},
            "type": {"orderType": "limit"},
            "client_id": {"clientOid": "x" * 51},
            "position_side": {"productType": "COIN-FUTURES"},
            "margin": {"size": "1000"},
        },
        book="publicMixGetV2MixMarketMergeDepth",
        symbol_parameter="symbol",
        best_prices="fetch_tickers",
        book_parameters={"productType": "USDT-FUTURES"},
        code_form='"code":"{}"',
        codes={
            "unknown_symbol": 40034,
            "quantity_step": 40808,
            "quantity_zero": 40020,
            "quantity_unreadable": 40020,
            "quantity_above_max": 45112,
            "reduce_only": 22002,
            "side": 40020,
            "type": 40020,
            "client_id": 40020,
            "position_side": 40020,
            "margin": 40762,
            "notional": 45110,
            "duplicate": 40786,
            "too_late_to_cancel": 22001,
            "leverage": 40797,
            "hedge_mode": 40774,
            "wrong_key": 40006,
            "wrong_secret": 40009,
            "clock": 40008,
            "some_rejection": 45113,
            "unknown_path": 40404,
        },
        credentials=("apiKey", "secret", "password"),
        position_mode_can_be_read=False,
        funding_rates="fetch_funding_intervals",
        funding_intervals="fetch_funding_intervals",
        notional_min=5,
        beyond_the_book="canceled",
    ),
    "gate": Spoken(
        exchange_id="gate",
        options={
            "unifiedAccount": False,
            "defaultType": "swap",
            "fetchMarkets": {"types": ["swap"]},
            "swap": {"fetchMarkets": {"settlementCurrencies": ["usdt"]}},
        },
        sol="SOL_USDT",
        nope="NOPE_USDT",
        client_id_parameter="text",
        query={},
        place="privateFuturesPostSettleOrders",
        order={"settle": "usdt", "contract": "SOL_USDT", "size": 10, "price": "0", "tif": "ioc", "text": "t-raw"},
        wrong_orders={
            "unknown_symbol": {"contract": "NOPE_USDT"},
            "quantity_step": {"size": "10.5"},
            "quantity_zero": {"size": 0},
            "quantity_unreadable": {"size": "abc"},
            "quantity_above_max": {"size": 2_000_000},
            "reduce_only": {"reduce_only": True},
            "side": {"price": "-1"},
            "type": {"tif": "gtc"},
            "client_id": {"text": "raw"},
            "position_side": {"auto_size": "close_long"},
            "margin": {"size": 10_000},
        },
        book="publicFuturesGetSettleOrderBook",
        symbol_parameter="contract",
        best_prices="fetch_tickers",
        book_parameters={"settle": "usdt", "with_id": "true"},
        code_form='"label":"{}"',
        codes={
            "unknown_symbol": "CONTRACT_NOT_FOUND",
            "quantity_step": "INVALID_PARAM_VALUE",
            "quantity_zero": "INVALID_PARAM_VALUE",
            "quantity_unreadable": "INVALID_PARAM_VALUE",
            "quantity_above_max": "SIZE_TOO_LARGE",
            "reduce_only": "REDUCE_EXCEEDED",
            "side": "INVALID_PARAM_VALUE",
            "type": "INVALID_PARAM_VALUE",
            "client_id": "INVALID_PARAM_VALUE",
            "position_side": "POSITION_DUAL_MODE",
            "margin": "INSUFFICIENT_AVAILABLE",
            "duplicate": "REPEATED_CREATION",
            "too_late_to_cancel": "ORDER_FINISHED",
            "leverage": "LEVERAGE_TOO_HIGH",
            "hedge_mode": "POSITION_DUAL_MODE",
            "wrong_key": "INVALID_KEY",
            "wrong_secret": "INVALID_SIGNATURE",
            "clock": "REQUEST_EXPIRED",
            "some_rejection": "RISK_LIMIT_EXCEEDED",
            "unknown_path": "NOT_FOUND",
        },
        contract_size=0.1,
        client_id_form="t-{}",
        create_says_the_outcome=True,
        payments_have_ids=False,
        margin_mode_can_be_set=False,
        position_mode_can_be_read=False,
        setting_again_is_refused={"position_mode": "NO_CHANGE"},
        beyond_the_book="ioc",
    ),
    "hyperliquid": Spoken(
        exchange_id="hyperliquid",
        options={"fetchMarkets": {"types": ["swap"]}},
        sol="SOL",
        nope="NOPE",
        client_id_parameter="clientOrderId",
        query={},
        place="privatePostExchange",
        order={
            "a": 0,
            "b": True,
            "p": "210",
            "s": "1",
            "r": False,
            "t": {"limit": {"tif": "Ioc"}},
            "c": f"0x{'f' * 32}",
        },
        wrong_orders={
            "unknown_symbol": {"a": 7},
            "quantity_step": {"s": "1.05"},
            "quantity_zero": {"s": "0"},
            "quantity_unreadable": {"s": "abc"},
            "quantity_above_max": {"s": "200000"},
            "reduce_only": {"r": True},
            "side": {"b": "hold"},
            "type": {"t": {"limit": {"tif": "Now"}}},
            "client_id": {"c": f"0x{'x' * 32}"},
            "margin": {"s": "1000"},
        },
        book="publicPostInfo",
        symbol_parameter="coin",
        best_prices="fetch_tickers",
        book_parameters={"type": "l2Book"},
        code_form="{}",
        codes={
            "unknown_symbol": "null|Order has invalid asset",
            "quantity_step": "Order has invalid size",
            "quantity_zero": "Order has zero size",
            "quantity_unreadable": "Failed to deserialize",
            "quantity_above_max": "Order has invalid size",
            "reduce_only": "Reduce only order would increase position",
            "side": "Failed to deserialize",
            "type": "Failed to deserialize",
            "client_id": "Failed to deserialize",
            "margin": "Insufficient margin to place order",
            "notional": "Order must have minimum value of",
            "duplicate": "Duplicate cloid",
            "too_late_to_cancel": "Order was never placed",
            "leverage": "Invalid leverage value",
            "clock": "Invalid nonce: nonce too low",
            "some_rejection": "Order would increase open interest too quickly",
            "unknown_path": "Not Found",
        },
        credentials=("walletAddress", "privateKey"),
        settle="USDC",
        has_hedge_mode=False,
        signs_readings=False,
        market_orders_need_a_price=True,
        hexadecimal_client_ids=True,
        client_id_form="0x{:0>32}",
        payments_have_ids=False,
        margin_mode_can_be_set=False,
        notional_min=10,
        beyond_the_book="canceled",
    ),
}
