//! The goods themselves: made up, in Hangul and in English, priced as neighbours would.
//!
//! The first ones fill the stalls of `stalls`, in order; the rest wait for a stall to come free.

use entity::enums::ItemCondition;

use super::catalogue::Good;

/// Used, open to the whole country, without a step or a reserve of its own.
const USED: Good = Good {
    title: "",
    description: "",
    category: "other",
    condition: ItemCondition::UsedA,
    seller: "",
    region: None,
    start: 0,
    worth: 0,
    unit: None,
    reserve: None,
    buy_now: None,
};
const LIKE_NEW: Good = Good { condition: ItemCondition::UsedS, ..USED };
const WELL_USED: Good = Good { condition: ItemCondition::UsedB, ..USED };
const NEW: Good = Good { condition: ItemCondition::New, ..USED };

/// Everything that is ever on offer.
pub const GOODS: [Good; 35] = [
    Good {
        title: "니콘 FM2 필름 카메라, 50mm 렌즈",
        description: "아버지께서 아껴 쓰시던 카메라입니다. 노출계와 셔터 모두 정상이고 \
            스트랩도 함께 드립니다.",
        category: "cameras",
        seller: "준호",
        start: 120_000,
        worth: 340_000,
        ..USED
    },
    Good {
        title: "Herman Miller Aeron chair, size B",
        description: "Five years at a home office desk, mesh without a tear. Can be tried out \
            in Itaewon before you bid.",
        category: "chairs",
        seller: "olivia",
        start: 350_000,
        worth: 820_000,
        unit: Some(10_000),
        reserve: Some(500_000),
        ..USED
    },
    Good {
        title: "닌텐도 스위치 OLED 화이트",
        description: "보호필름 붙여서 몇 번 안 썼습니다. 박스와 구성품 모두 있고, \
            강남역 근처에서 직거래해요.",
        category: "games",
        seller: "서연",
        region: Some("11"),
        start: 150_000,
        worth: 310_000,
        unit: Some(5_000),
        ..LIKE_NEW
    },
    Good {
        title: "Sony WH-1000XM5 headphones, black",
        description: "Bought last spring, worn on a handful of flights. Case and cable included.",
        category: "audio",
        seller: "noah_k",
        start: 120_000,
        worth: 290_000,
        buy_now: Some(350_000),
        ..LIKE_NEW
    },
    Good {
        title: "4인용 거실형 텐트와 타프 세트",
        description: "광안리 근처에서 직접 보고 가져가세요. 폴대 하나에 살짝 휨이 있지만 \
            설치에는 문제없습니다.",
        category: "camping",
        seller: "하은",
        region: Some("26"),
        start: 60_000,
        worth: 210_000,
        unit: Some(2_000),
        ..WELL_USED
    },
    Good {
        title: "맥북 에어 M2 13인치, 16GB",
        description: "배터리 사이클 84회, 생활 기스 조금 있습니다. 초기화해서 보내 드려요.",
        category: "laptops",
        seller: "도윤",
        start: 600_000,
        worth: 1_080_000,
        reserve: Some(800_000),
        buy_now: Some(1_300_000),
        ..USED
    },
    Good {
        title: "Cast-iron skillets, set of three",
        description: "Seasoned and ready for the stove: 16, 20 and 26 cm. Heavy, so I pack well.",
        category: "cookware",
        seller: "mia.park",
        start: 20_000,
        worth: 80_000,
        unit: Some(1_000),
        ..WELL_USED
    },
    Good {
        title: "제주 감귤나무로 깎은 도마",
        description: "애월 작업실에서 손으로 깎고 들기름을 먹였습니다. 나뭇결은 하나하나 \
            다릅니다.",
        category: "art",
        seller: "유진",
        start: 15_000,
        worth: 65_000,
        ..NEW
    },
    Good {
        title: "원목 3단 캣타워",
        description: "우리 집 고양이는 박스를 더 좋아하네요. 스크래처 기둥은 새것으로 갈았습니다. \
            서울 안에서 가져가실 분만요.",
        category: "pets",
        seller: "망원동고양이",
        region: Some("11"),
        start: 30_000,
        worth: 120_000,
        ..USED
    },
    Good {
        title: "Fender Player Telecaster, sunburst",
        description: "Mexican made, 2021, new strings last week. Comes with a padded gig bag.",
        category: "instruments",
        seller: "lucas",
        start: 450_000,
        worth: 880_000,
        reserve: Some(600_000),
        ..USED
    },
    Good {
        title: "다이슨 V12 무선청소기",
        description: "필터를 새로 갈았고 배터리는 40분쯤 갑니다. 분당에서 직접 가져가 주세요.",
        category: "cleaning-appliances",
        seller: "지훈",
        region: Some("41"),
        start: 180_000,
        worth: 390_000,
        ..USED
    },
    Good {
        title: "Moccamaster coffee brewer, cream",
        description: "Descaled every month, jug without a chip. Ten cups in six minutes.",
        category: "kitchen-appliances",
        seller: "daniel",
        start: 120_000,
        worth: 270_000,
        unit: Some(5_000),
        ..LIKE_NEW
    },
    Good {
        title: "산울림 1집 LP",
        description: "재킷 모서리가 닳았지만 판은 깨끗하게 돌아갑니다. 속지도 그대로 있어요.",
        category: "records",
        seller: "수빈",
        start: 90_000,
        worth: 270_000,
        ..WELL_USED
    },
    Good {
        title: "20인치 접이식 미니벨로",
        description: "한강 나들이용으로 탔습니다. 브레이크 패드와 타이어를 올해 교체했고, \
            망원역에서 타 보고 결정하세요.",
        category: "bicycles",
        seller: "민수",
        region: Some("11440"),
        start: 50_000,
        worth: 170_000,
        ..WELL_USED
    },
    Good {
        title: "4인용 원목 식탁과 의자",
        description: "이사하면서 내놓습니다. 상판에 컵 자국이 하나 있고, 해운대에서 부산 안으로는 \
            제가 실어다 드려요.",
        category: "desks",
        seller: "지우",
        region: Some("26"),
        start: 40_000,
        worth: 140_000,
        unit: Some(5_000),
        ..WELL_USED
    },
    Good {
        title: "Paperback classics, a box of thirty",
        description: "From Austen to Woolf, spines read but whole. A shelf for a whole winter.",
        category: "novels",
        seller: "mia.park",
        start: 30_000,
        worth: 100_000,
        ..USED
    },
    Good {
        title: "세이코 5 오토매틱 시계",
        description: "2년 전에 오버홀했고 하루 오차는 10초 안팎입니다. 가죽 줄은 새것입니다.",
        category: "watches",
        seller: "준호",
        start: 80_000,
        worth: 200_000,
        ..USED
    },
    Good {
        title: "Celadon tea set for five",
        description: "Thrown and glazed in Icheon, never used. A pot, a bowl for cooling and five \
            cups.",
        category: "tableware",
        seller: "olivia",
        start: 70_000,
        worth: 250_000,
        reserve: Some(120_000),
        ..NEW
    },
    Good {
        title: "프라다 나일론 숄더백, 블랙",
        description: "백화점 구매, 보증서 카드 있습니다. 모서리에 아주 작은 긁힘이 있어요.",
        category: "womens-bags",
        seller: "서연",
        start: 300_000,
        worth: 720_000,
        reserve: Some(450_000),
        ..USED
    },
    Good {
        title: "LEGO Titanic 10294, still sealed",
        description: "Kept in its shipping carton: 9,090 pieces, and no table for them.",
        category: "toys",
        seller: "emma",
        start: 400_000,
        worth: 800_000,
        unit: Some(10_000),
        buy_now: Some(950_000),
        ..NEW
    },
    Good {
        title: "혼다 슈퍼커브 110, 2021년식",
        description: "주행거리 8,400km, 엔진오일은 1,000km마다 갈았습니다. 서류 이전은 같이 가요.",
        category: "vehicles",
        seller: "도윤",
        region: Some("41"),
        start: 1_200_000,
        worth: 2_200_000,
        unit: Some(50_000),
        reserve: Some(1_800_000),
        ..USED
    },
    Good {
        title: "1970년대 금성 라디오",
        description: "AM이 아직 잘 잡힙니다. 할머니 댁 마루에 있던 그대로, 전원선만 \
            새로 달았습니다.",
        category: "collectibles",
        seller: "유진",
        start: 40_000,
        worth: 120_000,
        unit: Some(1_000),
        ..WELL_USED
    },
    Good {
        title: "Ten jazz LPs from the sixties",
        description: "Blue Note and Prestige, later pressings, all played and loved. The list is \
            yours for the asking.",
        category: "records",
        seller: "noah_k",
        start: 60_000,
        worth: 190_000,
        unit: Some(5_000),
        ..USED
    },
    Good {
        title: "27인치 4K 모니터",
        description: "무결점 패널이고 USB-C 한 줄로 노트북까지 충전됩니다. 원래 상자에 담아 \
            보내 드립니다.",
        category: "tv",
        seller: "하은",
        start: 110_000,
        worth: 240_000,
        ..LIKE_NEW
    },
    Good {
        title: "인스탁스 미니 12와 필름 세 팩",
        description: "여행 가서 한 번 썼습니다. 필름은 2027년까지예요.",
        category: "cameras",
        seller: "준호",
        start: 40_000,
        worth: 100_000,
        unit: Some(1_000),
        ..LIKE_NEW
    },
    Good {
        title: "Yoga mat and two cork blocks",
        description: "Natural rubber, 5 mm, washed and aired. A strap comes with it.",
        category: "fitness",
        seller: "mia.park",
        start: 8_000,
        worth: 36_000,
        ..USED
    },
    Good {
        title: "바다 유리로 만든 탁상 조명",
        description: "애월 바닷가에서 주운 유리 조각으로 만들었습니다. 전구까지 함께 보내요.",
        category: "lighting",
        seller: "유진",
        start: 45_000,
        worth: 150_000,
        ..NEW
    },
    Good {
        title: "갤럭시 워치6 44mm, 그라파이트",
        description: "줄 두 개와 충전기가 있습니다. 화면에 흠집 없어요.",
        category: "wearables",
        seller: "서연",
        start: 70_000,
        worth: 170_000,
        unit: Some(5_000),
        ..USED
    },
    Good {
        title: "Mechanical keyboard, brown switches",
        description: "Aluminium case, hot-swap, Korean and English keycaps. Louder than your \
            neighbours would like.",
        category: "desktops",
        seller: "noah_k",
        start: 60_000,
        worth: 160_000,
        ..USED
    },
    Good {
        title: "스토케 트립트랩 아기 의자",
        description: "아이가 다 커서 내놓습니다. 베이비 세트와 쿠션 포함, 부산 직거래만 가능해요.",
        category: "baby",
        seller: "하은",
        region: Some("26"),
        start: 60_000,
        worth: 180_000,
        ..WELL_USED
    },
    Good {
        title: "슬램덩크 완전판 전 24권",
        description: "한 번 읽고 책장에만 두었습니다. 변색 없고 낙서 없습니다.",
        category: "comics",
        seller: "수빈",
        start: 70_000,
        worth: 170_000,
        unit: Some(5_000),
        ..USED
    },
    Good {
        title: "아이패드 프로 11인치 M2, 128GB",
        description: "애플펜슬 2세대를 함께 드립니다. 필름과 케이스를 늘 씌워 썼어요.",
        category: "tablets",
        seller: "도윤",
        start: 450_000,
        worth: 840_000,
        reserve: Some(600_000),
        ..LIKE_NEW
    },
    Good {
        title: "Titanium camping cook set",
        description: "Two pots, a pan and a spork, 380 g in all. Some heat colours on the bottom.",
        category: "camping",
        seller: "lucas",
        start: 50_000,
        worth: 140_000,
        ..USED
    },
    Good {
        title: "몬스테라 알보 삽수, 뿌리 내림",
        description: "무늬가 고르게 나온 두 잎 삽수입니다. 뿌리는 물꽂이로 5cm쯤 자랐어요.",
        category: "plants",
        seller: "지훈",
        start: 20_000,
        worth: 90_000,
        unit: Some(1_000),
        ..NEW
    },
    Good {
        title: "Enamelled cast-iron casserole, 24 cm",
        description: "Marine blue, a hairline in the lid's enamel, none inside. Pick-up in Seoul \
            only: it weighs five kilos.",
        category: "cookware",
        seller: "olivia",
        region: Some("11"),
        start: 90_000,
        worth: 230_000,
        ..USED
    },
];
