/// Who hears what changes rulesets of nftables, transaction by transaction.
public protocol RulesetHistory: Sendable {
    /// For each transaction that led a ruleset from the generation `first` to `last`, in order, the tables that it named, as "family name". Nil when
    /// one of them is not known: nobody listened, or messages got lost.
    func tables(in place: NamespaceName?, after first: UInt32, through last: UInt32) -> [Set<String>]?
}
