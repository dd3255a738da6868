/// The names of what a table of nftables holds in the kernel, without rules and elements: what can be emptied and filled again.
public struct FirewallContents: Hashable, Sendable {
    /// By name: whether it has a hook. Those without names, which belong to rules, are left out.
    public var chains: [String: Bool] = [:]
    /// By name. Those without names, which belong to rules, are left out.
    public var sets: [String: FirewallTable.ElementSet.Form] = [:]
    /// By name, the kind as in ``FirewallTable/Object/kind``; ``otherKind`` where tables of this project have none like it.
    public var objects: [String: String] = [:]

    public static let otherKind = "other"

    public init() {}

    public init(of table: FirewallTable) {
        chains = table.chains.mapValues { $0.hook != nil }
        sets = table.sets.mapValues(\.form)
        objects = table.objects.mapValues(\.kind)
    }
}
