import KernelInterface

/// The generation that each ruleset has when nobody but this process changed it since it was looked at.
///
/// Asking the kernel after a transaction would take the change of somebody who came in between for ours. The kernel counts: one for every
/// transaction that changes something (nf_tables_commit in net/netfilter/nf_tables_api.c), none for one that it refuses.
struct FirewallGenerations {
    /// As looked at, and how many transactions of ours were done before the look.
    private var looks: [NamespaceName?: (generation: UInt32, transactions: UInt32)] = [:]

    /// Takes over what was looked at, after so many transactions of ours in this cycle.
    mutating func note(_ observation: HostObservation, made: Set<NamespaceName>, after transactions: [NamespaceName?: UInt32]) {
        for (place, found) in observation.contents {
            guard let generation = found.firewallGeneration else { continue }
            looks[place] = (generation, transactions[place, default: 0])
        }
        for place in made { looks[place] = (FirewallMark.freshGeneration, transactions[place, default: 0]) }
    }

    /// And how many transactions of ours led to it since the look. Nil for a place that was not looked at.
    func generation(of place: NamespaceName?, after transactions: UInt32) -> (generation: UInt32, made: UInt32)? {
        looks[place].map { look in
            let made = transactions &- look.transactions
            return (look.generation &+ made, made)
        }
    }
}
