import NetworkModel

extension Agent: APIResource {
    public static var blank: Agent { Agent(id: .placeholder, type: .linuxBridge, hostID: "") }

    public static let table = ResourceTable<Agent>(
        singular: "agent", plural: "agents", collection: "agents", notFoundName: "Agent",
        attributes: [
            .keptRequest("id", \.id, .uuid, [.filter, .sort], from: "agent"),
            .keptRequest("agent_type", \.type, .any, [.filter, .sort], from: "agent"),
            .request("binary", .any, [.filter, .sort], from: "agent", show: { agent, writer in writer.string(agent.type.binary) }),
            .request("topic", .any, [.filter, .sort], from: "agent", show: { agent, writer in writer.string(agent.type.topic) }),
            .keptRequest("host", \.hostID, .any, [.filter, .sort], from: "agent"),
            .stored("admin_state_up", \.isAdminStateUp, .boolean, [.update, .filter, .sort], from: "agent"),
            .request("alive", .boolean, [.filter, .sort], from: "agent", show: { agent, writer in writer.bool(agent.isAlive) }),
            .keptRequest("description", \.description, .nullable(.string(maximum: 255)), [.update, .filter, .sort], from: "agent"),
            .keptRequest("availability_zone", \.availabilityZone, .any, [.filter], from: "availability_zone"),
            .request("configurations", .any, [], from: "agent", show: { agent, writer in writer.json(agent.configurations) }),
            // Of agents that report to Placement; ours have nothing to tell it.
            .request("resources_synced", .any, [], from: "agent-resources-synced") { _, writer in writer.null() },
            .internal("configurations_text", \.configurations),
            .keptRequest(
                "created_at", \.createdAt, .any, [.sort], from: "agent", show: { agent, writer in writer.string(agent.createdAt.plainText) }
            ),
            .keptRequest(
                "started_at", \.startedAt, .any, [.sort], from: "agent", show: { agent, writer in writer.string(agent.startedAt.plainText) }
            ),
            .keptRequest(
                "heartbeat_timestamp", \.heartbeatAt, .any, [.sort], from: "agent",
                show: { agent, writer in writer.string(agent.heartbeatAt.plainText) }),
        ])
}

extension Timestamp {
    /// `2026-01-31 12:00:00`: as Neutron shows the times of agents, and of nothing else. Clients in Go (gophercloud) read no other form there.
    fileprivate var plainText: String { String(description.dropLast().map { $0 == "T" ? " " : $0 }) }
}
