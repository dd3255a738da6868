import KernelInterface

/// What this process last applied to the firewall of a namespace, and how to tell whether it is still so.
public struct FirewallMemory: Hashable, Sendable {
    public var tables: [FirewallTable]
    /// The ruleset's generation right after, if nobody else changed the ruleset meanwhile.
    public var generation: UInt32
    /// How many transactions of ours led to it since the ruleset was looked at.
    public var made: UInt32
    /// The table that says so in the ruleset (``FirewallMark``).
    public var mark: String?

    public init(tables: [FirewallTable], generation: UInt32, made: UInt32 = 0, mark: String? = nil) {
        self.tables = tables
        self.generation = generation
        self.made = made
        self.mark = mark
    }
}

/// One transaction that makes the wanted tables real.
enum FirewallPlan {
    struct Step: Hashable {
        var script: String
        /// Replaces everything, for when a change does not fit what is there.
        var fallback: String?
    }

    /// Nil when there is nothing to do. What was applied is trusted while the generation is ours
    /// (``Reconciler/accounts(for:in:)``) and the tables are listed; else all
    /// wanted tables are filled anew, since comparing every rule would cost more than loading them.
    ///
    /// `contents` are the names of what is in the tables, by identity; one whose contents are not known is replaced as a whole.
    /// `isMarked`: the script leaves a ``FirewallMark``.
    static func step(
        to wanted: [FirewallTable], from memory: FirewallMemory?, tables: Set<String>, contents: [String: FirewallContents] = [:],
        generation: UInt32?, isMarked: Bool = false
    ) -> Step? {
        guard var step = unmarkedStep(to: wanted, from: memory, tables: tables, contents: contents, generation: generation) else {
            return nil
        }
        guard isMarked, let generation else { return step }
        let marks = memory?.mark.map { tables.union([$0]) } ?? tables
        let commands = FirewallMark.commands(for: wanted, found: marks, generation: generation)
        step.script += commands
        step.fallback = step.fallback.map { $0 + commands }
        return step
    }

    private static func unmarkedStep(
        to wanted: [FirewallTable], from memory: FirewallMemory?, tables: Set<String>, contents: [String: FirewallContents],
        generation: UInt32?
    ) -> Step? {
        if wanted.isEmpty { return nil }
        guard let memory, memory.generation == generation else { return renewal(of: wanted, contents) }
        // The usual case, told without writing thousands of elements into a script that nobody runs.
        if wanted == memory.tables, wanted.allSatisfy({ tables.contains($0.identity) }) { return nil }
        let known = Dictionary(memory.tables.map { ($0.identity, $0) }, uniquingKeysWith: { $1 })
        var changes = ""
        var replaced: [FirewallTable] = []
        for table in wanted {
            if let before = known[table.identity], tables.contains(table.identity),
                let script = FirewallScript.changes(from: before, to: table)
            {
                changes += script
            } else {
                replaced.append(table)
            }
        }
        if !replaced.isEmpty { changes += FirewallScript.replacement(of: replaced) }
        return changes.isEmpty ? nil : Step(script: changes, fallback: FirewallScript.replacement(of: wanted))
    }

    /// Tables that are there are filled anew where they are, and the others made.
    private static func renewal(of wanted: [FirewallTable], _ contents: [String: FirewallContents]) -> Step {
        let whole = FirewallScript.replacement(of: wanted)
        let refills = wanted.map { table in contents[table.identity].flatMap { FirewallScript.refill(of: table, holding: $0) } }
        if refills.allSatisfy({ $0 == nil }) { return Step(script: whole) }
        let scripts = zip(wanted, refills).map { $1 ?? FirewallScript.replacement(of: [$0]) }
        return Step(script: scripts.joined(), fallback: whole)
    }
}
