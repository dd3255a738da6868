import KernelInterface

/// Says in the ruleset itself what was loaded: the name of a table that holds nothing, in the same transaction as the tables that it speaks of.
///
///     table ip neutrino_mark_83f1c0de55aa9b21_17
///
/// The first number is a digest of the tables, the second the ruleset's generation after the transaction. An agent that starts finds both
/// right and need not replace what is right; when anybody changed the ruleset since, the generation is another one. (nft keeps comments of tables
/// too, but only names are listed without reading the rules.)
///
/// Only namespaces of ours have marks. There are many of them with little in them, while the tables of the host's own namespace are large, change
/// often, and are loaded once.
enum FirewallMark {
    private static let prefix = "ip neutrino_mark_"
    /// The generation of the ruleset of a namespace that was just made (nf_tables_init_net in net/netfilter/nf_tables_api.c).
    static let freshGeneration: UInt32 = 1

    /// The identity of the mark that belongs to the tables when the generation is this.
    static func identity(_ tables: [FirewallTable], generation: UInt32) -> String {
        "\(prefix)\(DaemonRecord.digest(FirewallScript.replacement(of: tables)))_\(generation)"
    }

    /// Whether a table ("family name") is a mark.
    static func isMark(_ identity: String) -> Bool { identity.hasPrefix(prefix) }

    /// Commands that put the mark of the tables in the place of those that were found, for a script that turns `generation` into the next one.
    static func commands(for tables: [FirewallTable], found: Set<String>, generation: UInt32) -> String {
        var script = ""
        for old in found.filter(isMark).sorted() { script += "add table \(old)\ndelete table \(old)\n" }
        // The kernel skips 0 when it wraps around.
        let next = generation &+ 1
        return script + "add table \(identity(tables, generation: next == 0 ? 1 : next))\n"
    }

    /// What is known of a ruleset that was found with a right mark.
    static func memory(of wanted: [FirewallTable], in found: NamespaceObservation) -> FirewallMemory? {
        guard let generation = found.firewallGeneration, wanted.allSatisfy({ found.firewallTables.contains($0.identity) }),
            found.firewallTables.contains(where: isMark)
        else { return nil }
        let mark = identity(wanted, generation: generation)
        guard found.firewallTables.contains(mark) else { return nil }
        return FirewallMemory(tables: wanted, generation: generation, mark: mark)
    }
}
