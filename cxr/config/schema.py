"""The schema of a composed config: the type and range of every value.

The values are in conf/; a default here applies if no option sets the field.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from cxr.config.fields import choice, number, path

# A new view of each image for each epoch.
FRESH = "fresh"
# What a folder of images may mean; see data.layout.
LEVELS = ("part", "class", "source", "patient")


@dataclass
class PhantomConfig:
    """The synthetic images of `data=phantom`."""

    count: int = number(1000, 30, 100_000)
    image_size: int = number(96, 32, 1024)
    seed: int = number(0, 0, 2**31 - 1)
    shortcut: str = choice("none", "none", "marker", "border", "exposure", "resolution")  # planted, to try an audit on
    strength: float = number(1.0, 0, 1)  # how often the shortcut is that of the class; else it is drawn blindly
    turned: bool = False  # whether the shortcut is that of the next class, as a test of what depends on it


@dataclass
class ColumnsConfig:
    """The names of the columns of `data.manifest`. All but path and label may be missing, or None to ignore them."""

    path: str = "path"
    label: str = "label"
    source: str | None = "source"
    group: str | None = "group"
    split: str | None = "split"
    view: str | None = "view"  # AP or PA: a subgroup of the evaluation
    more: list[str] = field(default_factory=list)  # further columns to keep in the manifest, for evaluation.subgroups


@dataclass
class DataConfig:
    """The source of the images; `classes` None means all classes.

    `merge` names classes made of others. Copies of one image with different labels are left out, kept, or stop the run.
    """

    name: str = "folder"
    root: str | None = path()
    classes: list[str] | None = None
    aliases: dict[str, list[str]] = field(default_factory=dict)
    manifest: str | None = path()
    masks: str | None = path()  # a folder of lung masks that cxr data masks wrote; they come first
    columns: ColumnsConfig = field(default_factory=lambda: ColumnsConfig())
    merge: dict[str, list[str]] = field(default_factory=dict)
    keep: dict[str, list[str]] = field(default_factory=dict)  # values of columns: other images are left out
    on_bad_image: str = choice("stop", "stop", "skip")
    # White of deep images that are no DICOM: the largest value of so many bits (auto: one depth, chosen over all of them), the
    # brightest pixels of each (window), or the depth of the brightest pixel of each, as before version 0.3 (brightest).
    grey: str = choice("auto", "auto", "window", "brightest", "8", "10", "12", "14", "16")
    on_conflict: str = choice("leave_out", "leave_out", "keep", "stop")
    citation: str = ""  # of the images, for reports
    licence: str = ""
    layout: str = (
        "auto"  # what each level of folders means: part, class, source, patient or *, as part/class; auto: found by looking
    )
    source: str = "auto"  # a file of cxr/data/sources; auto: phantoms, a table or a folder, by what is set
    dicom_patients: bool = True  # images of one DICOM PatientID form a group; False if every file has the same placeholder
    phantom: PhantomConfig | None = None


@dataclass
class SplitConfig:
    """The split; fractions are of all images, class by class, and all other images train."""

    name: str = "three_way"
    method: str = choice("fractions", "auto", "fractions", "folds", "sources", "column")
    validation: float = number(0.15, 0, 0.9, above=True)  # of method=column only where no image validates
    test: float = number(0.2, 0, 0.9)  # of method=fractions; of method=sources for classes that the source lacks
    folds: int = number(5, 2, 100)  # of method=folds
    fold: int = number(0, 0, 99)  # the one that tests
    source: str | None = None  # of method=sources: the one that tests
    seed: int = number(0, 0, 2**31 - 1)


@dataclass
class BackboneConfig:
    """The backbone, its weights (imagenet, phantom, none, a file or a run) and the grey levels that they expect.

    Grey levels reach it within `input_range`, or from 0 to 1 less `mean` and divided by `std` of each channel; with none of these
    as the backbone's weights expect them.
    """

    name: str = "mobilenet_v2"  # a file of cxr/model/backbones
    file: str | None = path()  # of name=keras_file: the network
    alpha: float = number(1.0, 0.1, 2.0)  # width, of MobileNetV2
    image_size: int = number(224, 32, 1024)
    weights: str = path("imagenet")
    input_range: list[float] | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    dropout: float = number(0.2, 0, 1, below=True)


@dataclass
class PrepareConfig:
    """What is done to every image before the backbone, in training and in use: it is part of the saved model."""

    name: str = "none"
    markers: bool = False  # inpaint small bright marks outside of the lungs
    borders: float = number(0.0, 0, 0.3)  # share of the side that is erased at each edge
    corners: float = number(0.0, 0, 0.4)  # side of the square that is erased in each corner, as a share of that of the image
    histogram: str = choice("as_is", "as_is", "equalised", "clahe", "matched")  # matched: to a normal distribution
    mask: str = choice("none", "none", "lungs")  # all but the lungs gives way softly to their mean
    dilation: float = number(1.2, 1, 2)  # size of that mask over that of the lungs
    crop: str = choice("none", "none", "thorax", "lungs")  # to the lungs, with a wide or a narrow margin

    @property
    def changes_images(self) -> bool:
        """Whether any step changes an image."""
        return replace(self, name="none", dilation=1.2) != PrepareConfig()

    @property
    def needs_lungs(self) -> bool:
        """Whether any step depends on where the lungs are."""
        return self.markers or self.mask != "none" or self.crop != "none"


@dataclass
class FreezeConfig:
    """The depth from which the backbone trains, the epochs before that, and what BatchNorm does in trained blocks."""

    name: str = "head"
    trainable_from: str = "head"  # head, last_block, last_stage, half, all, or a stage, block or layer of the backbone
    warmup_epochs: int = number(0, 0, 10_000)  # of the head alone
    gradual: dict[str, int] = field(default_factory=dict)  # or depths and their epochs, in turn, before trainable_from
    batch_norm: str = choice("inference", "inference", "train")
    batch_norm_momentum: float | None = number(None, 0, 1, below=True)  # share of its statistics that an update keeps


@dataclass
class AugmentConfig:
    """The strength of augmentation; every value is the largest change in either direction."""

    name: str = "none"
    rotation_degrees: float = number(0.0, 0, 45)
    translation: float = number(0.0, 0, 0.5)
    zoom: float = number(0.0, 0, 0.5)
    shear_degrees: float = number(0.0, 0, 30)
    brightness: float = number(0.0, 0, 0.5)
    contrast: float = number(0.0, 0, 0.9)
    aspect: float = number(0.0, 0, 0.5)  # of width over height, as exp(+-aspect)
    gamma: float = number(0.0, 0, 1.5)  # of the exponent of grey levels, as exp(+-gamma)
    resolution: float = number(0.0, 0, 0.9)  # largest share of pixels a side that half of the images lose
    noise: float = number(0.0, 0, 50)  # standard deviation in grey levels, up to this
    erase_corners: float = number(0.0, 0, 1)  # how often a corner is covered, and half as often an edge
    background: float = number(0.0, 0, 1)  # how often the lungs are put on the background of another training image
    mixup: float = number(0.0, 0, 10)  # alpha of Beta(alpha, alpha), the shares in which two images of a batch are mixed
    more: dict[str, float] = field(default_factory=dict)  # strengths of augmentations that have no setting here
    views: str = FRESH  # or how many views are drawn once for each image, for the epochs to take in turn


@dataclass
class LossConfig:
    """Cross-entropy with class weights, focusing and a cost for each pair of true and predicted class."""

    name: str = "plain"
    weighting: str = choice("none", "none", "balanced", "effective")
    effective_beta: float = number(0.999, 0, 1, below=True)
    focal_gamma: float = number(0.0, 0, 10)
    label_smoothing: float = number(0.0, 0, 1, below=True)
    cost_strength: float = number(0.0, 0, 1000)
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)  # numbers, by class or by role: see config/costs.py
    formula: str = "weighted_cross_entropy"  # a file of cxr/model/losses
    more: dict[str, float] = field(default_factory=dict)  # settings of a formula that have no name here
    group_robust: float = number(0.0, 0, 1)  # step by which sources with a higher loss get more weight; 0: off


@dataclass
class OptimizerConfig:
    """The update rule, its learning rate over time, and the share of it that the backbone gets."""

    name: str = choice("adam", "adam", "adamw", "sgd", "rmsprop", "lion")
    learning_rate: float = number(1e-3, 0, 10, above=True)
    backbone_rate: float = number(0.1, 0, 1, above=True)
    stage_decay: float = number(1.0, 0, 1, above=True)  # the rate of a stage as a share of that of the stage above it
    warmup_steps: int | None = number(0, 0, 1_000_000)  # updates of each phase in which the rate rises from 0; none: by depth
    clip_norm: float | None = number(None, 0, 1e6, above=True)  # largest norm of all gradients together
    schedule: str = choice("constant", "constant", "cosine", "plateau")
    plateau_factor: float = number(0.5, 0, 1, above=True, below=True)
    plateau_patience: int = number(2, 1, 1000)
    weight_decay: float = number(0.0, 0, 1)
    momentum: float = number(0.9, 0, 1, below=True)


@dataclass
class TrainingConfig:
    """The training; `epochs` includes the warm-up epochs of the head."""

    name: str = "standard"
    epochs: int = number(8, 1, 10_000)
    batch_size: int = number(32, 1, 4096)
    sampling: str = choice("as_is", "as_is", "source_balanced")  # whether each source of a class is drawn as often as the others
    soup: list[str] = field(default_factory=list)  # runs whose weights are averaged in place of a training; see cxr soup
    weight_average: float = number(0.0, 0, 1, below=True)  # decay of an average of the weights, which is what is kept; 0: off
    early_stopping_patience: int | None = number(5, 1, 10_000)
    precision: str = choice("float32", "float32", "mixed_bfloat16", "mixed_float16")
    seed: int = number(0, 0, 2**31 - 1)
    deterministic: bool = False
    threads: int | None = number(None, 1, 1024)
    cache: bool = True  # compute the frozen part once for each image and view, and keep it; False: the plain loop
    cache_limit_gb: float = number(20.0, 0, 1e6, above=True)


@dataclass
class EngineConfig:
    """The library that computes the frozen part."""

    name: str = choice("auto", "auto", "openvino", "tensorflow")


@dataclass
class EvaluationConfig:
    """The evaluation of predictions; thresholds are always chosen on validation."""

    name: str = "standard"
    urgent: str | None = None  # the class to be found; none: one with a usual name, see evaluation/roles.py
    routine: str | None = None  # the class that can wait; none: the same
    sensitivity: float = number(0.95, 0, 1, above=True, below=True)  # targets of operating points of the urgent class
    specificity: float = number(0.99, 0, 1, below=True)
    sensitivity_margin: bool = False  # whether the lower bound on validation, and not the value, has to reach sensitivity
    primary: str = "auc_macro_ovr"  # the metric that a comparison with other runs is about, named before the run
    missed_cost: float = number(10.0, 0, 1e6)  # of missing the positive class; other errors cost 1
    costs: dict[str, dict[str, Any]] = field(default_factory=dict)  # or the cost of any pair, as loss.costs; numbers
    alpha: float = number(0.05, 0, 1, above=True, below=True)  # how often a conformal set may lack the true class
    review_routine: bool = False  # whether every image of routine priority gets a second look
    prevalences: list[float] = field(default_factory=lambda: [0.01, 0.05, 0.10, 0.20, 0.40])
    subgroups: list[str] | None = None  # columns of the manifest; none: source, and those of data.columns.more
    views: int = number(1, 1, 64)  # of each image, slightly moved, whose probabilities are averaged; 1: the image as it is
    small_group: int = number(30, 1, 1_000_000)  # images, below which a subgroup is marked as small
    bins: int = number(15, 2, 1000)  # of calibration
    resamples: int = number(2000, 100, 100_000)
    failures: int = number(3, 0, 100)  # misclassified images shown for each pair of classes
    saliency_images: int = number(12, 0, 10_000)  # images of each class whose saliency maps are averaged
    pictures: bool = True  # whether the report shows images and saliency maps; False: numbers and curves only
    batch_size: int = number(32, 1, 4096)
    figure_dpi: int = number(110, 50, 600)
    verified_images: int | None = number(16, 1, 1_000_000)  # held-out images that the saved model has to predict too


@dataclass
class AuditConfig:
    """The audit at the end of a run: on up to so many images; 0: none. The more costly parts look at fewer of them."""

    name: str = "off"
    images: int = number(0, 0, 100_000)  # whose traits are measured
    seen: int = number(160, 1, 100_000)  # that the network is shown, in every region
    changed: int = number(24, 1, 100_000)  # held-out images that are covered, brightened, turned, and made into odd ones
    mapped: int = number(8, 1, 100_000)  # images of each class whose saliency is measured


@dataclass
class ObjectiveConfig:
    """The validation metric that orders the jobs of a sweep, and that a search optimises."""

    name: str = "macro_auc"
    metric: str = "val/auc_macro_ovr"
    direction: str = choice("maximize", "maximize", "minimize")


@dataclass
class BaselineConfig:
    """What a run does if there is no frozen-head baseline."""

    auto: bool = False


@dataclass
class SweepConfig:
    """What the jobs of a sweep leave, and what happens after one failed."""

    reports: str = choice("all", "all", "best", "none")  # of all jobs, of the best by the objective, or of none
    on_failure: str = choice("continue", "continue", "stop")  # with the other jobs; stop starts no further one


@dataclass
class WorkConfig:
    """Where checkpoints, plans of sweeps and unsent results lie while runs are under way."""

    dir: str | None = path()


@dataclass
class TrackingConfig:
    """The MLflow store of a run, and the names of the run."""

    name: str = "local"
    uri: str | None = None
    offline: bool = False
    needs_server: bool = False
    experiment: str = "cxr"
    run_name: str | None = None
    role: str = choice("candidate", "baseline", "candidate")


@dataclass
class Config:
    """The config of one experiment."""

    data: DataConfig = field(default_factory=DataConfig)
    split: SplitConfig = field(default_factory=SplitConfig)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    freeze: FreezeConfig = field(default_factory=FreezeConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    baseline: BaselineConfig = field(default_factory=BaselineConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    work: WorkConfig = field(default_factory=WorkConfig)
    force: bool = False
