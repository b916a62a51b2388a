"""The kinds of devices of a home, with what can be set on each."""

from __future__ import annotations

from llmasos.services.devices.model import Kind, Setting

BRIGHTNESS = Setting("brightness", "percent", unit="%")
COLOUR = Setting("colour", "colour")
WARMTH = Setting("colour temperature", "number", 2000, 6500, "K", 500)
SCENE = Setting(
    "scene",
    "choice",
    choices={
        "movie": ("film", "cinema", "电影", "观影"),
        "reading": ("read", "阅读", "看书"),
        "relax": ("cosy", "cozy", "放松", "休闲"),
        "party": ("派对", "聚会"),
        "night": ("sleep", "night light", "夜间", "睡眠", "夜灯"),
        "bright": ("work", "focus", "工作", "明亮"),
    },
)
VOLUME = Setting("volume", "percent", unit="%")
POSITION = Setting("position", "percent", unit="% open", step=25)
LEVELS = {
    "low": ("slow", "quiet", "gentle", "weak", "低", "低速", "小", "慢", "弱"),
    "medium": ("mid", "middle", "normal", "中", "中速", "适中"),
    "high": ("fast", "strong", "powerful", "高", "高速", "大", "快", "强", "强力"),
    "auto": ("automatic", "自动"),
}
SPEED = Setting("speed", "level", 0, 5, step=1, choices=LEVELS)
POWER = Setting("level", "level", 1, 5, step=1, choices=LEVELS)
INPUT = Setting(
    "input",
    "choice",
    choices={
        "TV": ("antenna", "电视"),
        "HDMI 1": ("hdmi1", "hdmi"),
        "HDMI 2": ("hdmi2",),
        "HDMI 3": ("hdmi3",),
        "USB": (),
        "bluetooth": ("蓝牙",),
    },
)
STATION = Setting("station", "text")


def _temperature(low: float, high: float) -> Setting:
    return Setting("temperature", "temperature", low, high, "°C", 1)


def _modes(name: str = "mode", **choices: str) -> Setting:
    return Setting(
        name,
        "choice",
        choices={key.replace("_", " "): tuple(words.split()) for key, words in choices.items()},
    )


CLIMATE_MODES = _modes(
    heat="heating warm 制热 加热 暖风",
    cool="cooling cold 制冷 冷风",
    dry="dehumidify 除湿",
    fan="ventilate 送风",
    auto="automatic 自动",
    eco="economy saving 节能 省电",
    sleep="night 睡眠 夜间",
    away="holiday vacation 离家 外出",
    comfort="home 舒适 在家",
)

LIGHT = Kind("light", ("light", "lamp"), ("灯", "电灯"), (BRIGHTNESS, COLOUR, WARMTH, SCENE))
THERMOSTAT = Kind(
    "thermostat",
    ("thermostat", "heating"),
    ("温控器", "恒温器", "暖气", "地暖"),
    (_temperature(5, 30), CLIMATE_MODES),
)
AIR_CONDITIONER = Kind(
    "air conditioner",
    ("air conditioner", "ac", "air conditioning", "aircon", "air con"),
    ("空调", "冷气"),
    (_temperature(16, 30), CLIMATE_MODES, SPEED),
)
HEATER = Kind("heater", ("heater", "radiator"), ("取暖器", "电暖器", "暖气片"), (_temperature(5, 30), POWER))


def _opening(name: str, nouns: tuple[str, ...], chinese: tuple[str, ...]) -> Kind:
    return Kind(name, nouns, chinese, (POSITION,), "open", "closed", "Opened", "Closed", opens=True)


BLINDS = _opening("blinds", ("blinds", "blind", "shutter", "shutters", "shade"), ("百叶窗", "卷帘", "百叶帘"))
CURTAINS = _opening("curtains", ("curtains", "curtain", "drapes"), ("窗帘",))
WINDOW = _opening("window", ("window", "skylight"), ("窗户", "天窗", "窗子"))
DOOR = _opening("door", ("door",), ("门",))
GATE = _opening("gate", ("gate",), ("门",))
AWNING = _opening("awning", ("awning", "sunshade"), ("遮阳棚", "雨棚"))
LOCK = Kind(
    "lock",
    ("lock", "door lock"),
    ("门锁", "智能锁", "锁"),
    (),
    "unlocked",
    "locked",
    "Unlocked",
    "Locked",
    opens=True,
)
FAN = Kind("fan", ("fan", "ventilator"), ("风扇", "电扇", "电风扇"), (SPEED,))
EXTRACTOR = Kind(
    "extractor fan", ("extractor fan", "extractor", "exhaust fan"), ("排气扇", "换气扇", "抽油烟机"), (SPEED,)
)
TV = Kind("TV", ("tv", "television", "telly"), ("电视", "电视机"), (VOLUME, INPUT, BRIGHTNESS))
PROJECTOR = Kind("projector", ("projector",), ("投影仪", "投影"), (BRIGHTNESS, INPUT, VOLUME))
SPEAKER = Kind("speaker", ("speaker", "soundbar", "stereo", "music"), ("音箱", "音响", "喇叭"), (VOLUME,))
RADIO = Kind("radio", ("radio",), ("收音机",), (VOLUME, STATION))
COFFEE = Kind(
    "coffee machine",
    ("coffee machine", "coffee maker", "espresso machine", "espresso maker"),
    ("咖啡机",),
    (
        _modes(
            coffee="普通 美式 lungo",
            espresso="浓缩 意式",
            cappuccino="卡布奇诺",
            latte="拿铁",
            hot_water="热水",
        ),
        POWER,
    ),
    "brewing",
    "off",
    "Started",
)
KETTLE = Kind("kettle", ("kettle",), ("水壶", "电水壶", "热水壶"), (_temperature(40, 100),))
OVEN = Kind(
    "oven",
    ("oven",),
    ("烤箱",),
    (
        _temperature(30, 280),
        _modes(bake="conventional 烘烤 上下火", fan="convection 热风", grill="broil 烧烤", defrost="thaw 解冻"),
    ),
)
FRIDGE = Kind("fridge", ("fridge", "refrigerator"), ("冰箱",), (_temperature(1, 9),), essential=True)
FREEZER = Kind("freezer", ("freezer",), ("冷冻室", "冰柜", "冷柜"), (_temperature(-28, -12),), essential=True)
_PROGRAMMES = _modes(
    "programme",
    cotton="棉 棉麻",
    delicates="delicate gentle 轻柔 柔洗 丝绸",
    wool="羊毛 羊毛洗",
    quick="fast express 快洗 快速 速洗",
    eco="economy 节能",
    spin="脱水",
    rinse="漂洗",
    intensive="strong 强力",
)
WASHER = Kind(
    "washing machine",
    ("washing machine", "washer"),
    ("洗衣机",),
    (_PROGRAMMES,),
    "running",
    "stopped",
    "Started",
    "Stopped",
)
DRYER = Kind(
    "dryer",
    ("dryer", "tumble dryer"),
    ("烘干机",),
    (_PROGRAMMES,),
    "running",
    "stopped",
    "Started",
    "Stopped",
)
DISHWASHER = Kind(
    "dishwasher", ("dishwasher",), ("洗碗机",), (_PROGRAMMES,), "running", "stopped", "Started", "Stopped"
)
VACUUM = Kind(
    "robot vacuum",
    ("robot vacuum", "vacuum", "vacuum cleaner", "robot cleaner", "hoover"),
    ("扫地机器人", "扫地机", "吸尘器"),
    (
        _modes(
            quiet="silent night 安静 静音",
            standard="normal 标准",
            strong="turbo max power 强力 强劲",
            mop="mopping wet 拖地",
        ),
    ),
    "cleaning",
    "docked",
    "Started",
    "Sent to its dock:",
)
HUMIDIFIER = Kind(
    "humidifier",
    ("humidifier",),
    ("加湿器",),
    (Setting("humidity", "percent", 30, 80, "%", 5), _modes(auto="自动", sleep="night 睡眠", high="强力 大")),
)
DEHUMIDIFIER = Kind(
    "dehumidifier", ("dehumidifier",), ("除湿机",), (Setting("humidity", "percent", 30, 80, "%", 5), SPEED)
)
PURIFIER = Kind(
    "air purifier",
    ("air purifier", "purifier"),
    ("空气净化器", "净化器"),
    (SPEED, _modes(auto="自动", sleep="night 睡眠 夜间", turbo="strong 强力")),
)
BOILER = Kind("water heater", ("water heater", "boiler", "hot water"), ("热水器",), (_temperature(30, 75),))
SPRINKLER = Kind("sprinklers", ("sprinklers", "sprinkler", "irrigation"), ("喷灌", "洒水器", "喷头"))
FOUNTAIN = Kind("fountain", ("fountain",), ("喷泉",))
PLUG = Kind("plug", ("plug", "socket", "outlet"), ("插座",))
CAMERA = Kind("camera", ("camera",), ("摄像头", "监控"), essential=True)
DOORBELL = Kind("doorbell", ("doorbell",), ("门铃",), (VOLUME,), essential=True)
ALARM = Kind(
    "alarm",
    ("alarm", "alarm panel", "alarm system"),
    ("警报器", "报警器", "安防"),
    (_modes(home="stay 在家", away="离家 外出", night="夜间"),),
    "armed",
    "disarmed",
    "Armed",
    "Disarmed",
    essential=True,
)
SENSOR = Kind(
    "sensor", ("sensor", "thermometer", "temperature sensor"), ("传感器", "温度计"), essential=True, tells=True
)
DESK = Kind("standing desk", ("standing desk", "desk"), ("升降桌",), (Setting("height", "number", 65, 130, "cm", 5),))
