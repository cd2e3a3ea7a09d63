//! The rules of the contract, one name each. Each can be switched off in the
//! stated door, the kept table and the world around them; never in the product.

/// One sentence of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rule {
    // What a door checks.
    HorizonRefuses,
    HorizonHasAMargin,
    AheadIsRefused,
    ClocksMayDiffer,
    LowerEpochIsDead,
    EqualEpochLives,
    AnchorsAreDemanded,
    GenerationIsChecked,
    OwnIdIsChecked,
    HitsAreCheckedAgain,
    TimesAreChecked,
    // What an index does.
    GreaterEpochWins,
    RebuildMerges,
    NewGenerationReplaces,
    UnnumberedIsNeverDropped,
    NewerRaiseTakesItsOwnNumber,
    DroppingMovesTheHorizon,
    StoresHorizonIsLearnt,
    // What the store does.
    EpochGrowsInOneSecond,
    TimeNeverGoesBack,
    TimeIsAdvanced,
    TableKeepsTwoWindows,
    TableMovesTheHorizon,
    RowOfATokenOutlastsRenewal,
    RowOfATokenStaysTwoMinutesMore,
    NumbersFollowCommits,
    EndRaisesBoth,
    CutSparesGrants,
    EndedGrantIsDead,
    MissingIsDead,
    // What those around them do.
    StartReadsUnnumbered,
    StartIsOneSnapshot,
    OwnIndexBeforeReply,
    NowIsDrawnFirst,
    EpochsOfTheLoad,
    FarClocksIssueNothing,
    ExchangeAsksTheStore,
    InputsAreInherited,
    RegisteredThenChecked,
    IndexThenConnections,
    FreshnessIsOfTheStart,
    StaleRefusesUnknown,
    StaleEndsAtLast,
}

/// All rules but one, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Rules(Option<Rule>);

impl Rules {
    pub(crate) const ALL: Self = Self(None);

    pub(crate) const fn without(rule: Rule) -> Self {
        Self(Some(rule))
    }

    pub(crate) fn hold(self, rule: Rule) -> bool {
        self.0 != Some(rule)
    }
}
