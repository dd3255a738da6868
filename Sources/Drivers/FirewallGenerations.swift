import KernelInterface

/// The generation that each ruleset has when nobody but this process changed it since it was looked at.
///
/// Asking the kernel after a transaction would take the change of somebody who came in between for ours. The kernel counts: one for every
/// transaction that changes something (nf_tables_commit in net/netfilter/nf_tables_api.c), none for one that it refuses.
struct FirewallGenerations {
    /// As looked at, less the transactions of ours that were done before the look.
    private var bases: [NamespaceName?: UInt32] = [:]

    /// Takes over what was looked at, after so many transactions of ours in this cycle.
    mutating func note(_ observation: HostObservation, made: Set<NamespaceName>, after transactions: [NamespaceName?: UInt32]) {
        for (place, found) in observation.contents {
            guard let generation = found.firewallGeneration else { continue }
            bases[place] = generation &- transactions[place, default: 0]
        }
        for place in made { bases[place] = FirewallMark.freshGeneration &- transactions[place, default: 0] }
    }

    /// Nil for a place that was not looked at.
    func generation(of place: NamespaceName?, after transactions: UInt32) -> UInt32? { bases[place].map { $0 &+ transactions } }
}
