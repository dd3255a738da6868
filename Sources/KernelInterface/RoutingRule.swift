import Addressing

/// A rule of policy routing (ip-rule(8)): which table routes the packets of a family that carry a mark.
public struct RoutingRule: Hashable, Sendable, Comparable {
    public var version: IPVersion
    /// Rules are asked in the order of their priorities, until one finds a route; the kernel's own rule of the main table has 32766.
    public var priority: UInt32
    /// Nil: all packets.
    public var mark: UInt32?
    public var table: UInt32
    /// The rule does not find routes of length 0 (`suppress_prefixlength 0`): default routes are left to the rules after it.
    public var ignoresDefaultRoutes: Bool

    public init(version: IPVersion, priority: UInt32, mark: UInt32? = nil, table: UInt32, ignoresDefaultRoutes: Bool = false) {
        self.version = version
        self.priority = priority
        self.mark = mark
        self.table = table
        self.ignoresDefaultRoutes = ignoresDefaultRoutes
    }

    public static func < (left: RoutingRule, right: RoutingRule) -> Bool {
        guard left.version == right.version else { return left.version < right.version }
        guard left.priority == right.priority else { return left.priority < right.priority }
        guard left.table == right.table else { return left.table < right.table }
        guard left.mark == right.mark else { return left.mark ?? 0 < right.mark ?? 0 }
        return !left.ignoresDefaultRoutes && right.ignoresDefaultRoutes
    }
}
