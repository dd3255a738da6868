import HostModel
import NetworkModel
import Store

// Which member of an HA router is the master, as the hosts tell it.
//
// Hosts tell changes at once and repeat what they are with each sign of life. One that is cut off tells nothing, so when another member
// takes over, a master's last word is doubtful until it speaks again:
//
//                     active                  another claims it
//      ┌─────────┐ ────────────▶ ┌────────┐ ────────────────────▶ ┌─────────┐
//      │ standby │               │ active │                       │ unknown │
//      └─────────┘ ◀──────────── └────────┘ ◀──────────────────── └─────────┘
//           ▲         standby                the other gives way,      │
//           │                                or: active, repeated      │
//           │                                a few seconds later       │
//           └──────────────────────────────────────────────────────────┘
//                                   standby
//
// A master that repeats its claim although another one has held it for some seconds means it: then two are `active`, which the log, a metric
// and the API say (``MasterConflict``) until one gives way or dies.

extension Verb {
    /// How long a member must have been master before another one that still claims the same counts as a second one. Reports of a handover
    /// may overtake each other for that long.
    static let masterConflictSeconds = 3

    /// Members that are no longer what they were. The master's host gets the router's ports. Returns the failures that began or ended.
    func note(_ reports: [HostStatus.RouterReport], from hostID: String) throws -> [RouterFailureChange] {
        guard !reports.isEmpty else { return [] }
        let rows = try transaction.rows(
            "SELECT router_id, state, failure, ha_port_id FROM router_members WHERE host_id = ?", [.text(hostID)])
        var known: [ResourceID: (state: String?, failure: String?, isHighlyAvailable: Bool)] = [:]
        for row in rows { if let id = row[0].id { known[id] = (row[1].text, row[2].text, row[3].text != nil) } }
        var changes: [RouterFailureChange] = []
        for report in reports {
            guard let member = known[report.routerID] else { continue }
            let isNewState = member.isHighlyAvailable && member.state != report.state.rawValue
            let isNewFailure = member.failure != report.failure
            if isNewState { try note(report, from: hostID) }
            if isNewFailure {
                try setFailure(
                    report.failure, isExternal: report.isFailureExternal ?? false, ofRouter: report.routerID, on: hostID)
                changes.append(RouterFailureChange(routerID: report.routerID, hostID: hostID, failure: report.failure))
            }
            if isNewState || isNewFailure { try refreshStatus(ofRouter: report.routerID) }
        }
        return changes
    }

    private func note(_ report: HostStatus.RouterReport, from hostID: String) throws {
        let members = try members(of: report.routerID)
        guard let member = members.first(where: { $0.hostID == hostID }) else { return }
        let others = members.filter { $0.hostID != hostID }
        switch report.state {
        case .active: try becomeMaster(member, others)
        case .standby, .unknown:
            try setState(report.state, of: member)
            guard member.state == .active,
                let master = others.first(where: { $0.state == .active }) ?? others.first(where: { $0.state == .unknown })
            else { return }
            if master.state != .active { try setState(.active, of: master) }
            try moveRouterPorts(of: report.routerID, to: master.hostID)
        }
    }

    private func becomeMaster(_ member: RouterMember, _ others: [RouterMember]) throws {
        let rivals = others.filter { $0.state == .active }
        if member.state == .unknown, !rivals.isEmpty {
            // The ports stay with the one that claimed them last.
            if try haveHeld(rivals) { try setState(.active, of: member) }
            return
        }
        try setState(.active, of: member)
        for rival in rivals { try setState(.unknown, of: rival) }
        try moveRouterPorts(of: member.routerID, to: member.hostID)
    }

    /// Whether all of these have been masters for some seconds.
    private func haveHeld(_ rivals: [RouterMember]) throws -> Bool {
        for rival in rivals {
            let since = try transaction.rows(
                "SELECT state_since FROM router_members WHERE router_id = ? AND agent_id = ?",
                [rival.routerID.columnValue, rival.agentID.columnValue]
            ).first?[0].integer
            guard let since, now.secondsSince1970 - since >= Self.masterConflictSeconds else { return false }
        }
        return true
    }

    private func setState(_ state: HAState, of member: RouterMember) throws {
        try transaction.execute(
            "UPDATE router_members SET state = ?, state_since = ? WHERE router_id = ? AND agent_id = ?",
            [.text(state.rawValue), .integer(now.secondsSince1970), member.routerID.columnValue, member.agentID.columnValue])
        transaction.appendChange(kind: "router_members", id: "\(member.routerID)/\(member.hostID)")
    }
}

/// A router that two or more living hosts claim to be the master of.
public struct MasterConflict: Sendable, Hashable {
    public var routerID: ResourceID
    /// Sorted.
    public var hostIDs: [String]
}

extension Verb {
    /// Routers with several living masters, by id.
    func masterConflicts() throws -> [MasterConflict] {
        let rows = try transaction.rows(
            "SELECT m.router_id, m.host_id FROM router_members m JOIN agents a ON a.id = m.agent_id "
                + "WHERE m.state = ? AND m.ha_port_id IS NOT NULL AND a.heartbeat_timestamp >= ? AND m.router_id IN "
                + "(SELECT router_id FROM router_members WHERE state = ? GROUP BY router_id HAVING COUNT(*) > 1) "
                + "ORDER BY m.router_id, m.host_id",
            [.text(HAState.active.rawValue), oldestLivingHeartbeat.columnValue, .text(HAState.active.rawValue)])
        var conflicts: [MasterConflict] = []
        for row in rows {
            guard let id = row[0].id, let host = row[1].text else { continue }
            if conflicts.last?.routerID == id {
                conflicts[conflicts.count - 1].hostIDs.append(host)
            } else {
                conflicts.append(MasterConflict(routerID: id, hostIDs: [host]))
            }
        }
        return conflicts.filter { $0.hostIDs.count > 1 }
    }
}
