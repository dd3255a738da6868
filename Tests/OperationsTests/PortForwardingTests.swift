import APISchema
import AccessPolicy
import Addressing
import NetworkModel
import Operations
import TestSupport
import Testing

/// An external network, and a port behind a router to it.
struct RoutedCloud {
    let cloud: Cloud
    let external: Network
    let network: Network
    let subnet: Subnet
    let router: Router
    let port: Port

    init(_ backend: Backend = .sqlite) async throws {
        cloud = try Cloud(backend)
        (external, _) = try await cloud.externalNetwork()
        network = try await cloud.network()
        subnet = try await cloud.subnet(on: network)
        router = try await cloud.router(["external_gateway_info": ["network_id": .string(external.id.description)]])
        _ = try await cloud.attach(subnet, to: router)
        port = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.0.0.5"]]])
    }

    func floatingIP(_ body: [String: JSONValue] = [:]) async throws -> FloatingIP {
        try await cloud.create(FloatingIP.self, ["floating_network_id": .string(external.id.description)].merging(body) { $1 })
    }

    func forward(_ floating: FloatingIP, _ body: [String: JSONValue] = [:]) async throws -> PortForwarding {
        let whole: [String: JSONValue] = [
            "protocol": "tcp", "external_port": 80, "internal_port": 8080, "internal_ip_address": "10.0.0.5",
            "internal_port_id": .string(port.id.description),
        ].merging(body) { $1 }
        let created = try await cloud.operations.create(
            [ResourceRequest<PortForwarding>.create(whole.filter { !$0.value.isNull })], under: floating.id.description, caller: cloud.admin
        )
        return try #require(created.first)
    }

    func change(_ forwarding: PortForwarding, _ body: [String: JSONValue]) async throws -> PortForwarding {
        try await cloud.operations.update(
            forwarding.id.description, .update(body), under: forwarding.floatingIPID.description, caller: cloud.admin)
    }

    func drop(_ forwarding: PortForwarding) async throws {
        try await cloud.operations.delete(
            PortForwarding.self, forwarding.id.description, under: forwarding.floatingIPID.description, caller: cloud.admin)
    }

    func refusal(_ floating: FloatingIP, _ body: [String: JSONValue]) async throws -> APIError? {
        try await apiError { try await forward(floating, body) }
    }
}

@Suite struct PortForwardingTests {
    @Test("The revisions of a floating IP and of a port follow the forwardings between them", arguments: Backend.allCases)
    func revisions(_ backend: Backend) async throws {
        let routed = try await RoutedCloud(backend)
        let other = try await routed.cloud.port(on: routed.network)
        let floating = try await routed.floatingIP()
        func revisions() async throws -> [Int] {
            [
                try await routed.cloud.show(floating).standard.revisionNumber,
                try await routed.cloud.show(routed.port).standard.revisionNumber,
                try await routed.cloud.show(other).standard.revisionNumber,
            ]
        }
        let first = try await revisions()
        let forwarding = try await routed.forward(floating)
        #expect(try await revisions() == [first[0] + 1, first[1] + 1, first[2]])
        let changed = try await routed.change(forwarding, ["external_port": 81])
        #expect(try await revisions() == [first[0] + 2, first[1] + 2, first[2]])
        let moved = try await routed.change(changed, ["internal_port_id": .string(other.id.description)])
        #expect(try await revisions() == [first[0] + 3, first[1] + 3, first[2] + 1])
        try await routed.drop(moved)
        #expect(try await revisions() == [first[0] + 4, first[1] + 3, first[2] + 2])
    }

    @Test("A forwarding does not move to an address that its floating IP's router does not reach", arguments: Backend.allCases)
    func unreachableAddress(_ backend: Backend) async throws {
        let routed = try await RoutedCloud(backend)
        let network = try await routed.cloud.operations.show(
            Network.self, routed.port.networkID.description, caller: routed.cloud.admin)
        let apart = try await routed.cloud.subnet(on: network, "10.9.0.0/24")
        let port = try await routed.cloud.port(
            on: network, ["fixed_ips": [["ip_address": "10.0.0.9"], ["subnet_id": .init(apart.id), "ip_address": "10.9.0.9"]]])
        let forwarding = try await routed.forward(
            try await routed.floatingIP(), ["internal_port_id": .init(port.id), "internal_ip_address": "10.0.0.9"])
        let refused = try await apiError { try await routed.change(forwarding, ["internal_ip_address": "10.9.0.9"]) }
        #expect(refused?.status == 400 && refused?.message.contains("is not reachable from subnet \(apart.id)") == true)
    }

    @Test("A port of another project is not found, whatever it has") func foreignPort() async throws {
        let routed = try await RoutedCloud()
        _ = try await routed.floatingIP(["port_id": .init(routed.port.id)])
        let blue = Caller(projectID: "blue", isAdmin: false)
        let theirs = try await routed.cloud.create(FloatingIP.self, ["floating_network_id": .init(routed.external.id)], as: blue)
        let body: [String: JSONValue] = [
            "protocol": "tcp", "external_port": 80, "internal_port": 80, "internal_ip_address": "10.0.0.5",
            "internal_port_id": .init(routed.port.id),
        ]
        let refused = try await apiError {
            try await routed.cloud.operations.create(
                [ResourceRequest<PortForwarding>.create(body)], under: theirs.id.description, caller: blue)
        }
        #expect(refused?.type == "PortNotFound" && refused?.status == 404)
    }

    @Test("A forwarding puts its floating IP on the router, and the last one takes it off", arguments: Backend.allCases)
    func lifeCycle(_ backend: Backend) async throws {
        let routed = try await RoutedCloud(backend)
        let floating = try await routed.floatingIP()
        let web = try await routed.forward(floating, ["description": "web"])
        #expect(web.externalPorts == PortRange(80, 80))
        let range = try await routed.forward(
            floating,
            [
                "external_port": nil, "internal_port": nil, "external_port_range": "1000:1009", "internal_port_range": "2000:2009",
                "protocol": "udp",
            ])
        let shown = try await routed.cloud.show(floating)
        #expect(shown.routerID == routed.router.id)
        #expect(shown.status == .active)
        #expect(shown.portID == nil)
        #expect(shown.portForwardings == [web, range].map(FloatingIP.Forwarding.init))
        let changed = try await routed.change(web, ["external_port": 81, "description": ""])
        #expect(changed.externalPorts == PortRange(81, 81))
        #expect(try await routed.cloud.show(floating).portForwardings.first?.externalPorts == PortRange(81, 81))
        let operations = routed.cloud.operations
        var query = ListQuery()
        query.filters = [.column("external_port", [.integer(81)])]
        let found = try await operations.list(PortForwarding.self, query, under: floating.id.description, caller: routed.cloud.admin)
        #expect(found == [changed])
        try await routed.drop(web)
        #expect(try await routed.cloud.show(floating).routerID == routed.router.id)
        try await routed.drop(range)
        let free = try await routed.cloud.show(floating)
        #expect(free.routerID == nil && free.status == .down && free.portForwardings.isEmpty)
        #expect(try await apiError { try await routed.drop(range) }?.message == "Port Forwarding \(range.id) could not be found.")
        try await routed.cloud.delete(floating)
    }

    @Test("A port, or an address of it, takes the forwardings to it along", arguments: Backend.allCases)
    func portGoes(_ backend: Backend) async throws {
        let routed = try await RoutedCloud(backend)
        let floating = try await routed.floatingIP()
        _ = try await routed.forward(floating)
        _ = try await routed.cloud.update(routed.port, ["fixed_ips": [["ip_address": "10.0.0.6"]]])
        #expect(try await routed.cloud.show(floating).portForwardings.isEmpty)
        let again = try await routed.forward(floating, ["internal_ip_address": "10.0.0.6"])
        #expect(try await routed.cloud.show(floating).routerID == routed.router.id)
        try await routed.cloud.delete(routed.port)
        #expect(try await routed.cloud.show(floating).routerID == nil)
        let gone = try await apiError {
            try await routed.cloud.operations.show(
                PortForwarding.self, again.id.description, under: floating.id.description, caller: routed.cloud.admin)
        }
        #expect(gone?.type == "PortForwardingNotFound")
    }

    @Test("A floating IP is either a port's or shared out")
    func exclusive() async throws {
        let routed = try await RoutedCloud()
        let shared = try await routed.floatingIP()
        _ = try await routed.forward(shared)
        let portID = JSONValue.string(routed.port.id.description)
        let associated = try await apiError { try await routed.cloud.update(shared, ["port_id": portID]) }
        #expect(associated?.status == 409)
        #expect(associated?.message == "Floating IP \(shared.id) in use by Port Forwarding resources.")
        #expect(try await apiError { try await routed.cloud.delete(shared) }?.type == "FipInUseByPortForwarding")
        #expect(try await routed.cloud.update(shared, ["port_id": nil]).routerID == routed.router.id)
        #expect(try await routed.cloud.update(shared, ["description": "d"]).portForwardings.count == 1)

        let other = try await routed.cloud.port(
            on: try await routed.cloud.operations.show(Network.self, routed.port.networkID.description, caller: routed.cloud.admin))
        let whole = try await routed.floatingIP(["port_id": .string(other.id.description)])
        let taken = try await routed.refusal(whole, ["internal_port": 1])
        #expect(taken?.type == "FloatingIPPortAlreadyAssociated" && taken?.status == 409)
        let address = try #require(other.fixedIPs.first?.address)
        let bound = try await routed.refusal(
            shared,
            ["external_port": 81, "internal_port_id": .string(other.id.description), "internal_ip_address": .string(address.description)])
        #expect(bound?.status == 409)
        #expect(
            bound?.message
                == "Cannot create port forwarding to floating IP \(whole.address) (\(whole.id)) with port \(other.id) using fixed IP \(address), "
                + "as that port already has a binding floating IP.")
        let cleared = try await apiError { try await routed.cloud.update(routed.router, ["external_gateway_info": nil]) }
        #expect(cleared?.type == "RouterExternalGatewayInUseByFloatingIp")
    }

    @Test("An interface that a forwarding needs stays")
    func interfaceNeeded() async throws {
        let routed = try await RoutedCloud()
        _ = try await routed.forward(try await routed.floatingIP())
        let needed = try await apiError {
            try await routed.cloud.operations.removeRouterInterface(
                routed.router.id.description, body: ["subnet_id": .string(routed.subnet.id.description)], caller: routed.cloud.admin)
        }
        #expect(needed?.type == "RouterInterfaceInUseByFloatingIP")
    }

    @Test("Ports that collide, ranges that do not fit and addresses that are not the port's are refused in Neutron's words")
    func refused() async throws {
        let routed = try await RoutedCloud()
        let floating = try await routed.floatingIP()
        _ = try await routed.forward(floating, ["external_port": nil, "external_port_range": "80:90"])
        func message(_ body: [String: JSONValue]) async throws -> String? {
            let error = try await routed.refusal(floating, body)
            #expect(error?.status == 400)
            return error?.message
        }
        #expect(
            try await message(["external_port": 85, "internal_port": 1])
                == "Bad port_forwarding request: There is a port collision with the external_port_range. The following ranges collides: 80:90 "
                + "and 85:85.")
        #expect(
            try await message(["external_port": 1])
                == "Bad port_forwarding request: There is a port collision with the internal_port_range. The following ranges collides: "
                + "8080:8080 and 8080:8080.")
        _ = try await routed.forward(floating, ["external_port": 85, "internal_port": 8080, "protocol": "udp"])
        #expect(
            try await message(["external_port_range": "1:3", "internal_port_range": "1:2", "external_port": nil, "internal_port": nil])
                == "Bad port_forwarding request: Invalid ranges of internal and/or external ports. The relation between internal and external "
                + "ports must be N-N or 1-N.")
        #expect(
            try await message(["internal_ip_address": "10.0.0.77", "external_port": 1])?.hasPrefix(
                "Bad port_forwarding request: Requested internal IP address 10.0.0.77 is not suitable for internal neutron port "
                    + "\(routed.port.id), as its fixed_ips are [{") == true)
        #expect(
            try await message(["external_port": 0]) == "Invalid input for external_port. Reason: '0' is too small - must be at least '1'.")
        #expect(
            try await message(["external_port_range": "9:8"])
                == "Invalid input for external_port_range. Reason: First port in a port range must be lower than the second port.")
        #expect(
            try await message(["external_port_range": "a"]) == "Invalid input for external_port_range. Reason: Invalid port: a.")
        #expect(
            try await message(["protocol": "icmp"])
                == "Invalid input for protocol. Reason: 'icmp' is not in ['tcp', 'udp', 'sctp', 'dccp', 'udplite'].")
        #expect(
            try await message(["external_port": nil]) == "Failed to parse request. Required attribute 'external_port' not specified")
        let unknown: [String: JSONValue] = ["internal_port_id": "5ad8f0b2-6b8f-4a1c-8f2e-111111111111", "external_port": 7]
        #expect(try await routed.refusal(floating, unknown)?.status == 404)
        #expect(try await routed.cloud.show(floating).portForwardings.count == 2)
    }

    @Test("A port that no router leads to the external network is refused, and so is one behind another router")
    func unreachable() async throws {
        let routed = try await RoutedCloud()
        let cloud = routed.cloud
        let floating = try await routed.floatingIP()
        let network = try await cloud.network()
        let subnet = try await cloud.subnet(on: network, "10.7.0.0/24")
        let port = try await cloud.port(on: network, ["fixed_ips": [["ip_address": "10.7.0.5"]]])
        let body: [String: JSONValue] = [
            "internal_port_id": .string(port.id.description), "internal_ip_address": "10.7.0.5", "external_port": 99,
        ]
        #expect(
            try await routed.refusal(floating, body)?.message
                == "Bad port_forwarding request: External network \(routed.external.id) is not reachable from subnet \(subnet.id). Cannot set "
                + "Port forwarding for port \(port.id) with Floating IP \(floating.id).")
        _ = try await routed.forward(floating)
        let router = try await cloud.router(["external_gateway_info": ["network_id": .string(routed.external.id.description)]])
        _ = try await cloud.attach(subnet, to: router)
        #expect(
            try await routed.refusal(floating, body)?.message
                == "Bad port_forwarding request: The Floating IP \(floating.id) had been set on router \(routed.router.id), the internal Neutron "
                + "port \(port.id) can not reach it.")
    }

    @Test("Another project sees neither the floating IP nor its forwardings")
    func foreign() async throws {
        let routed = try await RoutedCloud()
        let floating = try await routed.floatingIP()
        let forwarding = try await routed.forward(floating)
        let stranger = Caller(projectID: "p2", isAdmin: false)
        let error = try await apiError {
            try await routed.cloud.operations.show(
                PortForwarding.self, forwarding.id.description, under: floating.id.description, caller: stranger)
        }
        #expect(error?.type == "FloatingIPNotFound")
        let owner = Caller(projectID: "p1", isAdmin: false)
        let own = try await routed.cloud.operations.list(
            PortForwarding.self, ListQuery(), under: floating.id.description, caller: owner)
        #expect(own == [forwarding])
    }
}

@Suite struct ConnectionHelperTests {
    private func create(_ cloud: Cloud, _ router: Router, _ helper: String, _ networkProtocol: String, _ port: Int) async throws
        -> ConnectionHelper
    {
        let body: [String: JSONValue] = ["helper": .string(helper), "protocol": .string(networkProtocol), "port": .integer(port)]
        let created = try await cloud.operations.create(
            [ResourceRequest<ConnectionHelper>.create(body)], under: router.id.description, caller: cloud.admin)
        return try #require(created.first)
    }

    @Test("Helpers are added, changed and deleted, and their router shows them", arguments: Backend.allCases)
    func lifeCycle(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let router = try await cloud.router()
        let ftp = try await create(cloud, router, "ftp", "tcp", 21)
        let tftp = try await create(cloud, router, "tftp", "udp", 69)
        #expect(try await cloud.show(router).helpers == [ftp, tftp].map(Router.Helper.init))
        #expect(try await cloud.show(router).standard.revisionNumber == 3)
        let changed: ConnectionHelper = try await cloud.operations.update(
            ftp.id.description, .update(["port": 2121]), under: router.id.description, caller: cloud.admin)
        #expect(changed.port == 2121 && changed.helper == "ftp")
        try await cloud.operations.delete(
            ConnectionHelper.self, tftp.id.description, under: router.id.description, caller: cloud.admin)
        #expect(try await cloud.show(router).helpers == [Router.Helper(changed)])
        try await cloud.delete(router)
    }

    @Test("Unknown helpers, protocols they do not have and doubles are refused in Neutron's words")
    func refused() async throws {
        let cloud = try Cloud()
        let router = try await cloud.router()
        _ = try await create(cloud, router, "ftp", "tcp", 21)
        #expect(try await apiError { try await create(cloud, router, "nfs", "tcp", 1) }?.message == "Conntrack Helper nfs is not allowed.")
        let wrong = try await apiError { try await create(cloud, router, "sip", "sctp", 1) }
        #expect(wrong?.type == "InvalidProtocolForHelper" && wrong?.status == 400)
        #expect(wrong?.message == "Conntrack Helper sip does not support: sctp. Supported protocols are: udp, tcp")
        #expect(
            try await apiError { try await create(cloud, router, "ftp", "tcp", 21) }?.message
                == "Bad conntrack_helper request: A duplicate conntrack helper entry with same attributes already exists, conflicting values are "
                + "{'router_id': '\(router.id)', 'protocol': 'tcp', 'port': 21, 'helper': 'ftp'}.")
        let other = try await cloud.router()
        let id = try #require(try await cloud.show(router).helpers.first?.id)
        let elsewhere = try await apiError {
            try await cloud.operations.show(ConnectionHelper.self, id.description, under: other.id.description, caller: cloud.admin)
        }
        #expect(elsewhere?.message == "Conntrack Helper \(id) could not be found.")
    }
}
