import NetworkModel
import Store

/// Numbers for operators' monitoring. Their labels are few, whatever the cloud has.
public struct CloudMetrics: Sendable, Hashable {
    public struct RouterLabels: Sendable, Hashable {
        public var status: String
        public var isHighlyAvailable: Bool

        public init(status: String, isHighlyAvailable: Bool) {
            self.status = status
            self.isHighlyAvailable = isHighlyAvailable
        }
    }

    public struct AgentLabels: Sendable, Hashable {
        public var type: String
        public var isAlive: Bool

        public init(type: String, isAlive: Bool) {
            self.type = type
            self.isAlive = isAlive
        }
    }

    public var routers: [RouterLabels: Int] = [:]
    /// Highly available routers without a living master.
    public var routersWithoutMaster = 0
    public var masterConflicts = 0
    /// Members of routers, standalone ones too, whose hosts say that they fail.
    public var routerFailures = 0
    public var agents: [AgentLabels: Int] = [:]
}

extension Operations {
    /// Counts what `/metrics` shows.
    public func metrics() async throws -> CloudMetrics {
        try await read(.server) { verb in
            var metrics = CloudMetrics()
            for row in try verb.transaction.rows("SELECT status, ha, COUNT(*) FROM routers GROUP BY status, ha") {
                guard let status = row[0].text else { continue }
                metrics.routers[.init(status: status, isHighlyAvailable: row[1].integer == 1)] = row[2].integer
            }
            for type in AgentType.allCases {
                for isAlive in [true, false] { metrics.agents[.init(type: type.rawValue, isAlive: isAlive)] = 0 }
            }
            for agent in try verb.transaction.list(Agent.self) {
                metrics.agents[.init(type: agent.type.rawValue, isAlive: verb.isAlive(agent)), default: 0] += 1
            }
            metrics.masterConflicts = try verb.masterConflicts().count
            metrics.routerFailures =
                try verb.transaction.rows("SELECT COUNT(*) FROM router_members WHERE failure IS NOT NULL").first?[0].integer ?? 0
            metrics.routersWithoutMaster =
                try verb.transaction.rows(
                    "SELECT COUNT(*) FROM routers r WHERE r.ha = 1 AND r.admin_state_up = 1 AND NOT EXISTS (SELECT 1 FROM router_members m "
                        + "JOIN agents a ON a.id = m.agent_id WHERE m.router_id = r.id AND m.state = ? AND a.heartbeat_timestamp >= ?)",
                    [.text(HAState.active.rawValue), verb.oldestLivingHeartbeat.columnValue]
                ).first?[0].integer ?? 0
            return metrics
        }
    }
}
