"""What a monitor can find: a closed table of kinds, each with its weight and a sentence in two languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from epilock.standard.text import Text

CRITICAL, WARNING = "critical", "warning"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding.

    Attributes:
        severity: ``critical``: a promise was broken; ``warning``: it may be, or will be.
        zh: Sentence in Chinese, with places for details.
        en: Sentence in English, with the same places.
    """

    severity: str
    zh: str
    en: str


KINDS: Mapping[str, Kind] = MappingProxyType({
    # The log itself.
    "unsigned": Kind(CRITICAL, "检查点无法验证：{why}", "the checkpoint does not verify: {why}"),
    "unreadable": Kind(CRITICAL, "检查点所需的文件无法读取：{why}", "a file that the checkpoint needs cannot be read: {why}"),
    "inconsistent": Kind(CRITICAL, "两个已签名的检查点互相矛盾（条数 {old} 与 {new}）", "two signed checkpoints cannot both be (sizes {old} and {new})"),
    "shrunk": Kind(WARNING, "日志现在出示 {new} 条，而此前出示过 {old} 条", "the log shows {new} entries, and showed {old} before"),
    "ahead": Kind(WARNING, "该处出示 {new} 条，而日志只出示 {old} 条：稍有延迟，或被扣留", "this place shows {new} entries, and the log {old}: it is a moment behind, or keeps them back"),
    "elsewhere-unsigned": Kind(WARNING, "该处出示的内容无法验证：{why}", "what this place shows does not verify: {why}"),
    "root": Kind(CRITICAL, "公布的 {size} 条记录算不出检查点的根", "the {size} published entries do not have the checkpoint's root"),
    "tile": Kind(CRITICAL, "公布的散列块与记录不符", "a published tile does not fit the entries"),
    "malformed": Kind(CRITICAL, "不是已知类型的规范记录：{why}", "not a canonical entry of a known type: {why}"),
    "standard-unknown": Kind(WARNING, "监督者没有该版本的标准，无法计算到期日", "the monitor does not have this version of the standard and cannot compute due dates by it"),
    "key-missing": Kind(CRITICAL, "日志公布的密钥没有签署检查点", "a key that the log announced did not sign the checkpoint"),
    "key-ended": Kind(CRITICAL, "已停用的密钥仍签署检查点", "a key that has ended signed the checkpoint"),
    "succession": Kind(CRITICAL, "日志自称接续 {before}，而后者的封存处、根或后继密钥与此不符", "the log says that it continues {before}, whose size, root or successor's key at its seal are others"),
    "history-missing": Kind(WARNING, "日志接续 {before}，而此处没有把后者读到封存处：其条目无法审计", "the log continues {before}, which was not read here to its seal: its entries could not be audited"),
    "goes-on": Kind(WARNING, "日志已封存，由 {after} 接续，而此处没有读后者：何者到期须看后者", "the log was sealed and goes on in {after}, which is not read here: what is due is told there"),
    "after-seal": Kind(CRITICAL, "日志封存之后仍有记录", "something follows the entry that sealed the log"),
    # Declarations.
    "undeclared": Kind(CRITICAL, "被引用，但此前没有申报", "is referred to, but was not declared before"),
    "declared-twice": Kind(WARNING, "再次申报，内容不同", "was declared again, as something else"),
    "elsewhere": Kind(CRITICAL, "记录与其所属不符：{why}", "does not fit what it belongs to: {why}"),
    "refused": Kind(CRITICAL, "采集点开设时，标准在级别 {level} 不允许采集该类信息", "the standard does not allow this category at level {level}, at which the point was opened"),
    "level-order": Kind(CRITICAL, "响应级别未按生效时间先后记录", "levels are not recorded in the order in which they take effect"),
    "level-backdated": Kind(CRITICAL, "响应级别在生效 {minutes} 分钟之后才记录", "a level was recorded {minutes} minutes after it took effect"),
    "policy-backdated": Kind(CRITICAL, "见证规则自 {since} 起生效，却在此之后才公布", "a policy for witnesses begins on {since}, and was announced after that day"),
    # Collection.
    "point-closed": Kind(CRITICAL, "采集点关闭后仍有采集，且不是更正", "something was collected after the point was closed, and corrects nothing"),
    "part-unknown": Kind(CRITICAL, "部分 {part} 不属于该批", "part {part} is not one of this bucket"),
    "number-repeated": Kind(CRITICAL, "批内编号 {n} 重复", "number {n} stands twice in this bucket"),
    "number-unknown": Kind(CRITICAL, "批内没有编号 {n}", "this bucket has no number {n}"),
    "collect-while-dying": Kind(WARNING, "已宣布销毁，仍有采集", "something was collected after its destruction was announced"),
    "collect-after-destruction": Kind(CRITICAL, "销毁证明之后仍有采集", "something was collected after its destruction was certified"),
    "correction-missing": Kind(CRITICAL, "更正后的记录（编号 {n}）不存在", "the record that corrects it (number {n}) does not exist"),
    # Imports.
    "import-without-notice": Kind(CRITICAL, "以同意为依据的采集点导入了未事先告知的名单", "a list of persons who had not been told was imported at a point that works on consent"),
    "import-counts": Kind(CRITICAL, "{what} {stated} 条，而导入的只有 {found} 条", "{stated} records {what}, and only {found} were imported"),
    "untold": Kind(CRITICAL, "突发事件结束后，导入的 {count} 人中仍有 {left} 人未被告知", "the emergency has ended, and {left} of the {count} persons of this import have not been told"),
    # Erasure and destruction.
    "erased-without-intent": Kind(CRITICAL, "没有事先宣布的擦除", "was erased without an intent"),
    "erasure-unfinished": Kind(WARNING, "已宣布擦除，尚未证明完成", "an erasure was announced and is not shown to be done"),
    "replaced-unfinished": Kind(CRITICAL, "编号 {n} 已移走或更正，尚未证明原处已擦除", "number {n} was moved or corrected, and is not shown to be erased where it was"),
    "destroy-early": Kind(CRITICAL, "部分 {part} 在到期前销毁（应为 {due}）", "part {part} was destroyed before its date ({due})"),
    "destroy-held": Kind(CRITICAL, "在保全期间销毁（{hold}）", "was destroyed under a hold ({hold})"),
    "destroy-unfinished": Kind(WARNING, "已宣布销毁，尚无证明", "a destruction was announced and is not certified"),
    "due-differs": Kind(WARNING, "销毁宣布的到期日 {stated} 与计算的 {due} 不符", "the announced due date {stated} is not the computed one {due}"),
    "order-self-approved": Kind(CRITICAL, "销毁命令由提出者本人批准", "an order was approved by who proposed it"),
    "certificate-without-intent": Kind(CRITICAL, "销毁证明之前没有宣布", "a certificate without an intent"),
    "certificate-differs": Kind(CRITICAL, "销毁证明与宣布的不是同一批或同一部分", "a certificate of another bucket or other parts than announced"),
    "certificate-counts": Kind(CRITICAL, "证明称{what} {stated} 条，日志中为 {found} 条", "the certificate says {stated} {what}, the log has {found}"),
    "certificate-sum": Kind(CRITICAL, "证明的数目自相矛盾：{collected} − {erased} ≠ {destroyed}", "the certificate's numbers do not add up: {collected} - {erased} is not {destroyed}"),
    "certificate-range": Kind(CRITICAL, "证明覆盖 {stated}，日志中的编号为 {found}", "the certificate covers {stated}, the log has the numbers {found}"),
    "certificate-incomplete": Kind(WARNING, "证明不完整：仍有未收回的租约", "the certificate is incomplete: leases are still out"),
    "certificate-leases": Kind(CRITICAL, "证明称完整，却列有未收回的租约", "the certificate says it is complete, and lists leases that are out"),
    "certified-twice": Kind(WARNING, "部分 {part} 已有完整的销毁证明", "part {part} had a complete certificate already"),
    "overdue": Kind(CRITICAL, "部分 {part} 于 {due} 到期（{rule}），没有销毁证明；日志中有 {count} 条", "part {part} was due on {due} ({rule}) and has no certificate; the log has {count} records"),
    "due": Kind(WARNING, "部分 {part} 于 {due} 到期（{rule}），尚无销毁证明；日志中有 {count} 条", "part {part} was due on {due} ({rule}) and has no certificate yet; the log has {count} records"),
    # Use.
    "no-grant": Kind(CRITICAL, "没有授权，也不是本人或紧急救治一人，却开启了信息", "records were opened without a grant, and neither by their person nor one for treatment"),
    "unreviewed": Kind(CRITICAL, "紧急打开后{days}天内没有审查", "an opening in an emergency was not reviewed within {days} days"),
    "review-self": Kind(CRITICAL, "紧急打开由打开者本人审查", "an opening in an emergency was reviewed by who opened it"),
    "release-below": Kind(CRITICAL, "去标识化数据发布时 {what} = {found}，低于标准要求的 {asked}", "a de-identified table was released with {what} = {found}, below the {asked} that the standard asks"),
    "release-self": Kind(CRITICAL, "去标识化数据的发布由申请人本人批准", "a de-identified table was approved by who asked for it"),
    "frozen": Kind(WARNING, "销毁已冻结：发现 {count} 处绕过程序的改动，尚未解除", "destruction is frozen: {count} changes past the program were found, and nobody has lifted it"),
    "freeze-self-lifted": Kind(CRITICAL, "要求解除冻结的人自己解除了它", "a freeze was lifted by who had asked for that"),
    "study-unfinished": Kind(WARNING, "已宣布销毁研究密钥，尚未证明完成", "the end of a study was announced and its key is not shown to be destroyed"),
    "paper-late": Kind(WARNING, "纸质页没有在{hours}小时内录入", "a page of paper was not keyed in within {hours} hours of its day"),
    "paper-due": Kind(CRITICAL, "纸质页的销毁期限晚于录入后{days}天", "a page of paper is to be destroyed later than {days} days after it was keyed in"),
    "paper-overdue": Kind(CRITICAL, "没有人在期限（{due}）前确认纸质页已销毁", "nobody attested by its day ({due}) that a page of paper was destroyed"),
    "unanswered": Kind(CRITICAL, "个人的请求在{days}天内没有答复", "a request of the person concerned was not answered within {days} days"),
    "budget-exceeded": Kind(CRITICAL, "带噪声的回答超出了隐私预算", "more privacy was given away than its budget allows"),
    "grant-misused": Kind(CRITICAL, "授权{why}后仍开启信息", "records were opened under a grant that {why}"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        kind: A key of ``KINDS``.
        about: What it is about, such as a bucket's name.
        index: Index of the entry that showed it first, or None.
        detail: One sentence.
        count: How often it was found.
    """

    kind: str
    about: str
    index: int | None
    detail: Text
    count: int = 1

    @property
    def severity(self) -> str:
        """Weight of its kind."""
        return KINDS[self.kind].severity


class Findings:
    """Collects findings; the same again is counted, so that a million faults are one line.

    Attributes:
        by_key: Findings by kind and what they are about.
    """

    def __init__(self) -> None:
        self.by_key: dict[tuple[str, str], Finding] = {}

    def add(self, kind: str, about: str, index: int | None = None, **details: Any) -> None:
        """Add a finding of ``kind`` about ``about``."""
        before = self.by_key.get((kind, about))
        if before is not None:
            again = Finding(kind, about, before.index, before.detail, before.count + 1)
            self.by_key[kind, about] = again
            return
        said = KINDS[kind]
        zh = {
            name: value.zh if isinstance(value, Text) else value for name, value in details.items()
        }
        en = {
            name: value.en if isinstance(value, Text) else value for name, value in details.items()
        }
        detail = Text(said.zh.format(**zh), said.en.format(**en))
        self.by_key[kind, about] = Finding(kind, about, index, detail)

    def copy(self) -> "Findings":
        """Return a collection of its own with the same findings."""
        result = Findings()
        result.by_key = dict(self.by_key)
        return result

    def take(self, other: "Findings") -> None:
        """Add all findings of ``other``."""
        self.by_key |= other.by_key

    def all(self) -> list[Finding]:
        """Return the findings, the gravest first, then in the order in which they were found."""
        return sorted(self.by_key.values(), key=lambda each: each.severity != CRITICAL)
