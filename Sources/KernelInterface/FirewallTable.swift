/// A table of nftables, as structure where changes are frequent (sets and maps) and as text where they are rare (chains).
///
/// The driver applies a table in one transaction. The first time, and whenever hooks, objects or the declarations of sets changed, the whole table
/// is replaced; else the elements, chains and sets that differ are, and counters go on counting.
public struct FirewallTable: Hashable, Sendable {
    public enum Family: String, Hashable, Sendable { case inet, ip, ip6, bridge, netdev }

    /// A set or a map. `elements` of a map are written `key : value`.
    public struct ElementSet: Hashable, Sendable {
        public enum Form: String, Hashable, Sendable { case set, map }
        public var form: Form
        /// The type clause as nft has it: `type ifname . ether_addr`, `typeof iifname : ct zone`.
        public var type: String
        /// Such as `interval`; empty when there are none.
        public var flags: [String]
        public var elements: Set<String>

        public init(form: Form = .set, type: String, flags: [String] = [], elements: Set<String> = []) {
            self.form = form
            self.type = type
            self.flags = flags
            self.elements = elements
        }
    }

    /// A chain: `hook` is nil for a chain that others jump to, else the whole clause, such as
    /// `type filter hook forward priority filter; policy accept;`.
    public struct Chain: Hashable, Sendable {
        public var hook: String?
        /// One rule per line, without semicolons.
        public var rules: [String]

        public init(hook: String? = nil, rules: [String]) {
            self.hook = hook
            self.rules = rules
        }
    }

    /// A named object that rules refer to, such as a helper of connection tracking.
    public struct Object: Hashable, Sendable {
        /// As nft has it: `ct helper`.
        public var kind: String
        /// What stands between the braces, one statement per line, without semicolons.
        public var lines: [String]

        public init(kind: String, lines: [String]) {
            self.kind = kind
            self.lines = lines
        }
    }

    public var family: Family
    public var name: String
    /// By name.
    public var objects: [String: Object]
    /// By name. Names must not be nft keywords (`fwd` is one).
    public var sets: [String: ElementSet]
    public var chains: [String: Chain]

    public init(
        family: Family, name: String, objects: [String: Object] = [:], sets: [String: ElementSet] = [:], chains: [String: Chain] = [:]
    ) {
        self.family = family
        self.name = name
        self.objects = objects
        self.sets = sets
        self.chains = chains
    }
}
