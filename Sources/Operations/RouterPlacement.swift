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

    /// Chooses agents: over the zones as evenly as can be, those with the fewest routers first. In the order of preference as masters: the one
    /// that is it least often, and of equals the one in the zone whose agents are it least often.
    ///
    /// - Parameters:
    ///   - candidates: in an order that decides between equals; shuffle them.
    ///   - taken: the zones of the members that the router has, with their numbers.
    static func choose(_ count: Int, from candidates: [Candidate], taken: [String: Int]) -> [Candidate] {
        var zoneCounts = taken
        var pool = candidates
        var chosen: [Candidate] = []
        while chosen.count < count {
            let best = pool.indices.min { left, right in
                (zoneCounts[pool[left].zone, default: 0], pool[left].memberCount, left)
                    < (zoneCounts[pool[right].zone, default: 0], pool[right].memberCount, right)
            }
            guard let best else { break }
            let candidate = pool.remove(at: best)
            zoneCounts[candidate.zone, default: 0] += 1
            chosen.append(candidate)
        }
        let loads = zoneLoads(candidates)
        return chosen.enumerated().sorted { left, right in
            (left.element.preferredCount, loads[left.element.zone, default: 0], left.offset)
                < (right.element.preferredCount, loads[right.element.zone, default: 0], right.offset)
        }.map(\.element)
    }

    /// How often an agent of the zone is preferred, in the mean.
    private static func zoneLoads(_ candidates: [Candidate]) -> [String: Double] {
        Dictionary(grouping: candidates, by: \.zone).mapValues { agents in
            Double(agents.reduce(0) { $0 + $1.preferredCount }) / Double(agents.count)
        }
    }
}
