import APISchema
import AccessPolicy
import NetworkModel
import Store
import TestSupport
import Testing

@testable import Operations

/// Repeats what it gave, for what a test chooses (SplitMix64).
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

private let projects = ["p1", "p2", "p3", "p4"]

private func caller(_ project: String, _ roles: String...) -> Caller {
    Caller(userID: "u-\(project)", projectID: project, isAdmin: false, roles: Set(roles))
}

@Suite("What lists show") struct VisibilityTests {
    /// Objects of four projects that share some of them with others.
    private func fill(_ cloud: Cloud, _ generator: inout SeededGenerator) async throws {
        var networks: [Network] = []
        for number in 0..<8 {
            let body: [String: JSONValue] = [
                "name": .string("n\(number)"), "project_id": .string(Self.pick(&generator)), "shared": .bool(number == 0),
                "router:external": .bool(number == 1),
            ]
            let network = try await cloud.create(Network.self, body)
            networks.append(network)
            _ = try await cloud.subnet(on: network, "10.\(number).0.0/24", ["project_id": .string(network.projectID)])
        }
        try await share(cloud, networks, &generator)
        for _ in 0..<24 {
            guard let network = networks.randomElement(using: &generator) else { continue }
            _ = try await cloud.port(on: network, ["project_id": .string(Self.pick(&generator))])
        }
        for (number, project) in projects.enumerated() {
            _ = try await cloud.router(["project_id": .string(project)])
            for type in ["security-groups", "policies"] {
                let body: [String: JSONValue] = [
                    "name": .string("o\(number)"), "project_id": .string(project), "shared": .bool(number == 2 && type == "policies"),
                ]
                if type == "policies" {
                    _ = try await cloud.create(QoSPolicy.self, body)
                } else {
                    let group = try await cloud.create(SecurityGroup.self, body.filter { $0.key != "shared" })
                    guard number.isMultiple(of: 2) else { continue }
                    try await grant(cloud, "security_group", group.id, "access_as_shared", to: Self.pick(&generator))
                }
            }
            let scope: [String: JSONValue] = [
                "name": .string("s\(number)"), "ip_version": 4, "project_id": .string(project), "shared": .bool(number == 3),
            ]
            _ = try await cloud.create(AddressScope.self, scope)
        }
    }

    private func share(_ cloud: Cloud, _ networks: [Network], _ generator: inout SeededGenerator) async throws {
        for (number, network) in networks.enumerated() where number > 1 && number.isMultiple(of: 2) {
            let action = number == 4 ? "access_as_external" : "access_as_shared"
            let target = Self.pick(&generator)
            try await grant(cloud, "network", network.id, action, to: target)
        }
    }

    private func grant(_ cloud: Cloud, _ type: String, _ id: ResourceID, _ action: String, to target: String) async throws {
        let body: [String: JSONValue] = [
            "object_type": .string(type), "object_id": .string(id.description), "action": .string(action), "target_tenant": .string(target),
        ]
        _ = try await cloud.create(RBACPolicy.self, body)
    }

    private static func pick(_ generator: inout SeededGenerator) -> String { projects.randomElement(using: &generator) ?? "p1" }

    /// Whom lists are shown to: roles of every kind, in projects with objects and in one without.
    private static let callers = [
        caller("p1", "member", "reader"), caller("p2", "reader"), caller("p3", "manager", "member", "reader"),
        caller("p4", "member", "reader"),
        caller("p5", "member", "reader"), caller("p1"), caller("", "member", "reader"), caller("services", "service"),
        caller("p2", "admin", "manager", "member", "reader"),
    ]

    private func compare<R: ManagedResource>(_ type: R.Type, _ cloud: Cloud, _ comment: String) async throws {
        // The first list of a project makes its default security group: before it is known what there is.
        for caller in Self.callers { _ = try await cloud.list(R.self, as: caller) }
        let all = try await cloud.list(R.self).map(\.id)
        for caller in Self.callers {
            let listed = try await cloud.list(R.self, as: caller).map(\.id)
            var shown: [ResourceID] = []
            for id in all {
                let error = try await apiError { try await cloud.operations.show(R.self, id.description, caller: caller) }
                if error == nil { shown.append(id) } else { #expect(error?.status == 404) }
            }
            #expect(Set(listed) == Set(shown), "\(R.table.plural) of \(caller.projectID) \(caller.roles.sorted()) \(comment)")
            #expect(listed.count == Set(listed).count)
            #expect(try await pages(R.self, cloud, caller) == listed)
        }
    }

    /// The same list in pages of three.
    private func pages<R: ManagedResource>(_ type: R.Type, _ cloud: Cloud, _ caller: Caller) async throws -> [ResourceID] {
        var query = ListQuery()
        query.limit = 3
        var ids: [ResourceID] = []
        while true {
            let page = try await cloud.operations.list(R.self, query, caller: caller).map(\.id)
            ids += page
            guard page.count == 3, let last = page.last else { return ids }
            query.marker = last
        }
    }

    private func compareAll(_ cloud: Cloud, _ comment: String) async throws {
        try await compare(Network.self, cloud, comment)
        try await compare(Subnet.self, cloud, comment)
        try await compare(Port.self, cloud, comment)
        try await compare(Router.self, cloud, comment)
        try await compare(SecurityGroup.self, cloud, comment)
        try await compare(SecurityGroupRule.self, cloud, comment)
        try await compare(QoSPolicy.self, cloud, comment)
        try await compare(AddressScope.self, cloud, comment)
        try await compare(RBACPolicy.self, cloud, comment)
        try await compare(Agent.self, cloud, comment)
        try await compare(Segment.self, cloud, comment)
    }

    @Test("A list has what a show of each answers, for everybody, whole and in pages", arguments: Backend.allCases, [1, 2] as [UInt64])
    func listsAndShows(_ backend: Backend, _ seed: UInt64) async throws {
        let cloud = try Cloud(backend)
        var generator = SeededGenerator(state: seed)
        try await cloud.report("h1")
        try await fill(cloud, &generator)
        try await compareAll(cloud, "seed \(seed)")
    }

    @Test("Attributes that the caller does not see match no filter and sort nothing") func hiddenAttributes() async throws {
        let cloud = try Cloud()
        let network = try await cloud.network()
        let own = try await cloud.port(on: network, ["binding:host_id": "h2"])
        let others = try await cloud.port(on: network, ["binding:host_id": "h1"])
        func ports(_ parameters: [(name: String, value: String)], as caller: Caller) async throws -> [ResourceID] {
            try await cloud.operations.list(Port.self, ListQuery.parse(parameters, for: Port.self), caller: caller).map(\.id)
        }
        let (member, admin) = (Self.callers[0], cloud.admin)
        for host in ["h1", "h2", ""] {
            let found = try await ports([("binding:host_id", host)], as: member)
            #expect(found.isEmpty)
        }
        #expect(try await ports([("binding:host_id", "h2")], as: admin) == [own.id])
        for isAscending in [true, false] {
            var query = ListQuery()
            query.sortKeys = [.init(column: "binding_host_id", isAscending: isAscending)]
            let known = isAscending ? [others.id, own.id] : [own.id, others.id]
            #expect(try await cloud.operations.list(Port.self, query, caller: admin).map(\.id) == known)
            let sorted = try await cloud.operations.list(Port.self, query, caller: member).map(\.id)
            #expect(try await sorted == ports([], as: member))
        }
        #expect(try await ports([("network_id", network.id.description)], as: member).count == 2)
        // An attribute that is seen of some ports matches those only.
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["get_port:binding:host_id": "'h1':%(binding:host_id)s"]))
        #expect(try await ports([("binding:host_id", "h1"), ("binding:host_id", "h2")], as: member) == [others.id])
    }

    @Test("What is shared is found by what its show says of it", arguments: Backend.allCases) func shared(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        let (member, stranger) = (caller("p1", "member", "reader"), caller("p2", "member", "reader"))
        var networks: [String: Network] = [:]
        for (name, isShared) in [("own", false), ("granted", false), ("all", true)] {
            let network = try await cloud.network(["name": .string(name), "project_id": "p2", "shared": .bool(isShared)])
            networks[name] = network
            _ = try await cloud.subnet(on: network, "10.0.0.0/24", ["name": .string(name), "project_id": "p2"])
        }
        try await grant(cloud, "network", try #require(networks["granted"]).id, "access_as_shared", to: "p1")
        for (caller, flags) in [
            (member, ["true": ["all", "granted"], "false": []]), (stranger, ["True": ["all"], "0": ["granted", "own"]]),
        ] {
            for (text, names) in flags {
                let query = try ListQuery.parse([("shared", text)], for: Network.self)
                let found = try await cloud.operations.list(Network.self, query, caller: caller)
                #expect(found.map(\.name).sorted() == names && found.allSatisfy { $0.isShared == (Bool.filterValue(text) == .integer(1)) })
                let parts = try ListQuery.parse([("shared", text), ("limit", "5")], for: Subnet.self)
                #expect(try await cloud.operations.list(Subnet.self, parts, caller: caller).map(\.name).sorted() == names)
            }
            let both = ["true", "no"].map { (name: "shared", value: $0) }
            let networks = try await cloud.operations.list(Network.self, .parse(both, for: Network.self), caller: caller)
            let subnets = try await cloud.operations.list(Subnet.self, .parse(both, for: Subnet.self), caller: caller)
            let count = caller == member ? 2 : 3
            #expect(networks.count == count && subnets.count == count)
        }
    }

    @Test("A page after what the caller does not see is empty") func foreignMarkers() async throws {
        let cloud = try Cloud()
        let hidden = try await cloud.network(["name": "a", "project_id": "p9"])
        let own = try await cloud.network(["name": "b", "project_id": "p1"])
        var query = ListQuery()
        query.sortKeys = [.init(column: "name")]
        query.marker = hidden.id
        #expect(try await cloud.operations.list(Network.self, query, caller: Self.callers[0]).isEmpty)
        #expect(try await cloud.operations.list(Network.self, query, caller: cloud.admin).map(\.id) == [own.id])
        // Who lists parts of something does not learn of parts of something else.
        let rules = try await ["p1", "p9"].asyncMap { project in
            let policy = try await cloud.create(QoSPolicy.self, ["name": "q", "project_id": .string(project)])
            let request = try ResourceRequest<BandwidthLimitRule>.create(["max_kbps": project == "p1" ? 2000 : 1000])
            return try await cloud.operations.createRule(request, policy: policy.id.description, caller: cloud.admin)
        }
        query.sortKeys = [.init(column: "max_kbps")]
        query.marker = rules[1].id
        let policy = rules[0].policyID.description
        #expect(try await cloud.operations.listRules(BandwidthLimitRule.self, policy: policy, query, caller: Self.callers[0]).isEmpty)
    }

    @Test("What ports are on is read once for all of them") func parents() async throws {
        let cloud = try Cloud()
        for project in ["p1", "p2"] {
            let network = try await cloud.network(["project_id": .string(project)])
            for _ in 0..<3 { _ = try await cloud.port(on: network, ["project_id": "p9"]) }
        }
        // The database cannot decide it: each row is asked.
        cloud.operations.policy.replace(with: try PolicyRules(overrides: ["get_port": "role:reader and 'p1':%(network:project_id)s"]))
        let reader = caller("p5", "reader")
        let (seen, read) = try await cloud.operations.read(reader) { verb in
            (try verb.list(Port.self, ListQuery()).count, verb.parentValues?.count)
        }
        #expect(seen == 3 && read == 2)
        // What a request writes may be what rules ask for.
        let isKept = try await cloud.operations.write(cloud.admin) { verb in verb.parentValues != nil }
        #expect(!isKept)
    }

    @Test("A service that is also a member is shown the tags of what it owns and of what is on its networks") func partlyHidden()
        async throws
    {
        let cloud = try Cloud()
        let networks = try await ["p1", "p2"].asyncMap { try await cloud.network(["project_id": .string($0)]) }
        let ports = try await [(0, "p9"), (1, "p1"), (1, "p2")].asyncMap { network, project in
            try await cloud.port(on: networks[network], ["project_id": .string(project)])
        }
        let both = caller("p1", "service", "member", "reader")
        let shown = try await cloud.operations.shownAttributes(of: ports, caller: both)
        let tags = try #require(Port.table.positions["tags"])
        #expect(ports.map { shown[$0.id].contains(tags) } == [true, true, false])
    }

    @Test("A rule's value is one text, where a filter finds its other spellings as well") func spellings() async throws {
        let cloud = try Cloud()
        let port = try await cloud.port(on: try await cloud.network(), ["mac_address": "fa:16:3e:00:00:0a"])
        let reader = caller("p1", "reader")
        for (text, ids) in [("fa:16:3e:00:00:0a", [port.id]), ("FA:16:3E:00:00:0A", [])] {
            cloud.operations.policy.replace(with: try PolicyRules(overrides: ["get_port": .string("field:ports:mac_address=\(text)")]))
            #expect(try await cloud.list(Port.self, as: reader).map(\.id) == ids, "\(text)")
            let refused = try await apiError { try await cloud.operations.show(Port.self, port.id.description, caller: reader) }
            #expect((refused == nil) == !ids.isEmpty, "\(text)")
            let query = try ListQuery.parse([("mac_address", text)], for: Port.self)
            #expect(try await cloud.operations.list(Port.self, query, caller: .server).map(\.id) == [port.id])
        }
    }

    /// Rules that the database can decide only in part, or not at all.
    private static let overrides: [[String: JSONValue]] = [
        [
            "get_network": "role:reader and not field:networks:shared=True",
            "get_port": "user_id:%(device_id)s or role:reader and rule:owner",
            "get_router": "!", "get_subnet": "@", "get_security_group": "field:security_groups:name=~^o[02]$ or rule:owner",
            "get_policy": "(role:reader and project_id:%(project_id)s) or 'o1':%(name)s",
            "get_address_scope": "rule:owner and 's0':%(name)s",
            "get_agent": "role:reader",
        ],
        // Values that filters find in other spellings than rules do, and attributes that are not what a project could be.
        [
            "get_network": "field:networks:status=active or field:networks:provider:network_type=VXLAN or field:networks:name=n1",
            "get_port": "not field:ports:status=down and field:ports:admin_state_up=yes or project_id:%(mac_address)s",
            "get_router": "field:routers:status=ACTIVE", "get_subnet": "field:subnets:ip_version=04 or project_id:%(ip_version)s",
            "get_security_group": "field:security_groups:stateful=1 or project_id:%(stateful)s",
            "get_policy": "field:policies:shared=t or project_id:%(revision_number)s",
            "get_address_scope": "field:address_scopes:ip_version=4 and project_id:%(name)s or rule:owner",
            "get_agent": [["field:agents:agent_type=l3 AGENT"], ["field:agents:agent_type=DHCP agent"]],
        ],
    ]

    @Test("It stays so with an operator's rules that no query can decide", arguments: Backend.allCases, overrides)
    func overridden(_ backend: Backend, _ overrides: [String: JSONValue]) async throws {
        let cloud = try Cloud(backend)
        var generator = SeededGenerator(state: 3)
        try await cloud.report("h1")
        try await fill(cloud, &generator)
        cloud.operations.policy.replace(
            with: try PolicyRules(overrides: overrides.merging(["context_is_admin": "role:cloud_admin"]) { $1 }))
        try await compareAsServer(cloud)
    }

    /// With rules that give administrators nothing, everything is known by the server's own list only.
    private func compareAsServer(_ cloud: Cloud) async throws {
        try await compare(Network.self, cloud, as: .server)
        try await compare(Subnet.self, cloud, as: .server)
        try await compare(Port.self, cloud, as: .server)
        try await compare(Router.self, cloud, as: .server)
        try await compare(SecurityGroup.self, cloud, as: .server)
        try await compare(QoSPolicy.self, cloud, as: .server)
        try await compare(AddressScope.self, cloud, as: .server)
        try await compare(Agent.self, cloud, as: .server)
    }

    private func compare<R: ManagedResource>(_ type: R.Type, _ cloud: Cloud, as server: Caller) async throws {
        // See above: lists make what they show.
        for caller in Self.callers { _ = try await cloud.list(R.self, as: caller) }
        let all = try await cloud.list(R.self, as: server).map(\.id)
        #expect(!all.isEmpty)
        for caller in Self.callers {
            let listed = try await cloud.list(R.self, as: caller).map(\.id)
            let shown = try await all.asyncFilter { id in
                try await apiError { try await cloud.operations.show(R.self, id.description, caller: caller) } == nil
            }
            #expect(Set(listed) == Set(shown), "\(R.table.plural) of \(caller.projectID) \(caller.roles.sorted())")
            #expect(try await pages(R.self, cloud, caller) == listed)
        }
    }
}

extension Array {
    fileprivate func asyncMap<T>(_ transform: (Element) async throws -> T) async rethrows -> [T] {
        var result: [T] = []
        for element in self { result.append(try await transform(element)) }
        return result
    }

    fileprivate func asyncFilter(_ holds: (Element) async throws -> Bool) async rethrows -> [Element] {
        var result: [Element] = []
        for element in self where try await holds(element) { result.append(element) }
        return result
    }
}
