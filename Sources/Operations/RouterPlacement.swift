import NetworkModel

/// Which hosts realise a router and which of them is preferred as master: pure, so that it can be tested by value.
enum RouterPlacement {
    /// An agent that could take a router.
    struct Candidate: Sendable, Hashable {
        var agentID: ResourceID
        var hostID: String
        var zone: String
        /// Routers that it has already.
        var memberCount = 0
        /// Those of them whose preferred master it is.
        var preferredCount = 0
    }

    private static let highestPriority = 254
    private static let lowestPriority = 1
    /// Keeps the times at which two backups take over apart: RFC 9568's skew is (256 - priority) / 256 of the interval. Small enough for
    /// sixty members.
    private static let priorityStep = 4

    /// The VRRP priority of the member that stands at a place of its group: 0 is the preferred master.
    static func priority(atRank rank: Int) -> Int { max(lowestPriority, highestPriority - priorityStep * rank) }

    /// The priority of a member that joins a group: below all others, so that it never preempts.
    static func joiningPriority(_ priorities: [Int]) -> Int {
        priorities.min().map { max(lowestPriority, $0 - priorityStep) } ?? highestPriority
    }

    /// Chooses agents. Of a new group or a standalone router the first is the one whose packets will pass: the agent that is preferred least
    /// often, of equals the one in the zone whose agents are it least often. The others are spread over the zones as evenly as can be, those
    /// with the fewest routers first.
    ///
    /// - Parameters:
    ///   - candidates: in an order that decides between equals; shuffle them.
    ///   - taken: the zones of the members that the router has, with their numbers.
    static func choose(_ count: Int, from candidates: [Candidate], taken: [String: Int]) -> [Candidate] {
        var zoneCounts = taken
        var pool = candidates
        var chosen: [Candidate] = []
        while chosen.count < count {
            guard let best = taken.isEmpty && chosen.isEmpty ? preferred(pool) : next(pool, zoneCounts) else { break }
            let candidate = pool.remove(at: best)
            zoneCounts[candidate.zone, default: 0] += 1
            chosen.append(candidate)
        }
        return chosen
    }

    private static func next(_ pool: [Candidate], _ zoneCounts: [String: Int]) -> Int? {
        pool.indices.min { left, right in
            (zoneCounts[pool[left].zone, default: 0], pool[left].memberCount, left)
                < (zoneCounts[pool[right].zone, default: 0], pool[right].memberCount, right)
        }
    }

    private static func preferred(_ pool: [Candidate]) -> Int? {
        // How often an agent of a zone is preferred, in the mean.
        let loads = Dictionary(grouping: pool, by: \.zone).mapValues { agents in
            Double(agents.reduce(0) { $0 + $1.preferredCount }) / Double(agents.count)
        }
        return pool.indices.min { left, right in
            (pool[left].preferredCount, loads[pool[left].zone, default: 0], pool[left].memberCount, left)
                < (pool[right].preferredCount, loads[pool[right].zone, default: 0], pool[right].memberCount, right)
        }
    }
}
