import APISchema
import Addressing
import HostProjection
import NetworkModel
import Store

/// Reads rows for the projection: all of them at the start, later those that the change log names.
enum TopologyReader {
    /// Everything, and the revision that it is the state of.
    static func all(_ transaction: StoreTransaction) throws -> (rows: [TopologyChange.Row], revision: Int) {
        var rows: [TopologyChange.Row] = []
        rows += try transaction.list(Network.self).map { .network($0) }
        rows += try transaction.list(Subnet.self).map { .subnet($0) }
        let routers = try routersByPort(transaction)
        rows += try transaction.list(Port.self).map { port in
            var port = port
            port.attachedRouterID = routers[port.id]
            return .port(port)
        }
        rows += try transaction.list(Router.self).map { .router($0) }
        rows += try transaction.list(FloatingIP.self).map { .floatingIP($0) }
        rows += try transaction.list(QoSPolicy.self).map { .qosPolicy($0) }
        rows += try transaction.list(SecurityGroup.self).map { .securityGroup($0) }
        rows += try transaction.list(SecurityGroupRule.self).map { .securityGroupRule($0) }
        rows += try transaction.list(AddressGroup.self).map { .addressGroup($0) }
        rows += try transaction.list(Agent.self).map { .agent($0) }
        rows += try transaction.rows("SELECT \(memberColumns) FROM router_members").map { .routerMember(try member($0)) }
        rows += try transaction.rows("SELECT network_id, host_id FROM dhcp_bindings").map { .dhcpBinding(try binding($0)) }
        rows += try transaction.rows("SELECT id, tunnel_address, physical_networks FROM hosts").map { .host(try host($0)) }
        return (rows, try transaction.currentRevision)
    }

    /// The entries of the log as changes: a row that is there now is put, whatever the entry said, since a later entry may have brought it back.
    static func changes(_ entries: [Change], _ transaction: StoreTransaction) throws -> [TopologyChange] {
        var seen: Set<[String]> = []
        var result: [TopologyChange] = []
        for entry in entries.reversed() where seen.insert([entry.kind, entry.id]).inserted {
            if let change = try change(entry, transaction) { result.append(change) }
        }
        return result.reversed()
    }

    /// Nil for kinds that no host is concerned with.
    private static func change(_ entry: Change, _ transaction: StoreTransaction) throws -> TopologyChange? {
        switch entry.kind {
        case "router_members", "dhcp_bindings", "hosts": return try auxiliaryChange(entry, transaction)
        default: break
        }
        guard let id = ResourceID(entry.id) else { return nil }
        switch entry.kind {
        case Network.table.plural: return try transaction.find(Network.self, id).map { .put(.network($0)) } ?? .drop(.network(id))
        case Subnet.table.plural: return try transaction.find(Subnet.self, id).map { .put(.subnet($0)) } ?? .drop(.subnet(id))
        case Port.table.plural: return try port(id, transaction).map { .put(.port($0)) } ?? .drop(.port(id))
        case Router.table.plural: return try transaction.find(Router.self, id).map { .put(.router($0)) } ?? .drop(.router(id))
        case FloatingIP.table.plural:
            return try transaction.find(FloatingIP.self, id).map { .put(.floatingIP($0)) } ?? .drop(.floatingIP(id))
        case QoSPolicy.table.plural:
            return try transaction.find(QoSPolicy.self, id).map { .put(.qosPolicy($0)) } ?? .drop(.qosPolicy(id))
        case SecurityGroup.table.plural:
            return try transaction.find(SecurityGroup.self, id).map { .put(.securityGroup($0)) } ?? .drop(.securityGroup(id))
        case SecurityGroupRule.table.plural:
            return try transaction.find(SecurityGroupRule.self, id).map { .put(.securityGroupRule($0)) } ?? .drop(.securityGroupRule(id))
        case AddressGroup.table.plural:
            return try transaction.find(AddressGroup.self, id).map { .put(.addressGroup($0)) } ?? .drop(.addressGroup(id))
        case Agent.table.plural: return try transaction.find(Agent.self, id).map { .put(.agent($0)) } ?? .drop(.agent(id))
        default: return nil
        }
    }

    /// The port with the router that has recorded it. Records change with their ports' rows, in the same transactions.
    private static func port(_ id: ResourceID, _ transaction: StoreTransaction) throws -> Port? {
        guard var port = try transaction.find(Port.self, id) else { return nil }
        guard DeviceOwner.isRouterOwned(port.deviceOwner) else { return port }
        let rows = try transaction.rows("SELECT port_id, router_id FROM router_ports WHERE port_id = ?", [id.columnValue])
        port.attachedRouterID = try rows.first.map { try attachment($0).routerID }
        return port
    }

    private static func routersByPort(_ transaction: StoreTransaction) throws -> [ResourceID: ResourceID] {
        var routers: [ResourceID: ResourceID] = [:]
        for row in try transaction.rows("SELECT port_id, router_id FROM router_ports") {
            let (port, router) = try attachment(row)
            routers[port] = router
        }
        return routers
    }

    private static func attachment(_ row: [ColumnValue]) throws -> (portID: ResourceID, routerID: ResourceID) {
        guard row.count == 2, let port = ResourceID(columnValue: row[0]), let router = ResourceID(columnValue: row[1]) else {
            throw StoreError.corrupt("a row of router_ports is damaged")
        }
        return (portID: port, routerID: router)
    }

    private static func auxiliaryChange(_ entry: Change, _ transaction: StoreTransaction) throws -> TopologyChange? {
        if entry.kind == "hosts" {
            let rows = try transaction.rows("SELECT id, tunnel_address, physical_networks FROM hosts WHERE id = ?", [.text(entry.id)])
            return try rows.first.map { .put(.host(try host($0))) } ?? .drop(.host(entry.id))
        }
        // "<router or network>/<host>"
        let parts = entry.id.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2, let owner = ResourceID(parts[0]) else { throw StoreError.corrupt("the change log names '\(entry.id)'") }
        let key: [ColumnValue] = [.text(parts[0]), .text(parts[1])]
        if entry.kind == "router_members" {
            let rows = try transaction.rows("SELECT \(memberColumns) FROM router_members WHERE router_id = ? AND host_id = ?", key)
            return try rows.first.map { .put(.routerMember(try member($0))) }
                ?? .drop(.routerMember(RouterMemberKey(routerID: owner, hostID: parts[1])))
        }
        let rows = try transaction.rows("SELECT network_id, host_id FROM dhcp_bindings WHERE network_id = ? AND host_id = ?", key)
        return try rows.first.map { .put(.dhcpBinding(try binding($0))) }
            ?? .drop(.dhcpBinding(DHCPBinding(networkID: owner, hostID: parts[1])))
    }

    private static let memberColumns = "router_id, agent_id, host_id, ha_port_id, state, priority"

    private static func member(_ row: [ColumnValue]) throws -> RouterMember {
        guard row.count == 6, let router = ResourceID(columnValue: row[0]), let agent = ResourceID(columnValue: row[1]),
            let host = String(columnValue: row[2]), let haPort = ResourceID?(columnValue: row[3]),
            let stateText = String(columnValue: row[4]),
            let state = HAState(rawValue: stateText), let priority = Int(columnValue: row[5])
        else { throw StoreError.corrupt("a row of router_members is damaged") }
        var member = RouterMember(routerID: router, agentID: agent, hostID: host, haPortID: haPort)
        member.state = state
        member.priority = priority
        return member
    }

    private static func binding(_ row: [ColumnValue]) throws -> DHCPBinding {
        guard row.count == 2, let network = ResourceID(columnValue: row[0]), let host = String(columnValue: row[1]) else {
            throw StoreError.corrupt("a row of dhcp_bindings is damaged")
        }
        return DHCPBinding(networkID: network, hostID: host)
    }

    private static func host(_ row: [ColumnValue]) throws -> Host {
        guard row.count == 3, let id = String(columnValue: row[0]), let tunnel = String?(columnValue: row[1]),
            let text = String(columnValue: row[2]), let networks = (try? JSONParser.parse(text))?.objectValue
        else { throw StoreError.corrupt("a row of hosts is damaged") }
        var host = Host(id: id)
        host.tunnelAddress = tunnel
        host.physicalNetworks = networks.compactMapValues(\.stringValue)
        return host
    }
}
