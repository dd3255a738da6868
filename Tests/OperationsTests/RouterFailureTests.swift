import APISchema
import AccessPolicy
import HostModel
import NetworkModel
import Operations
import TestSupport
import Testing

/// Routers that hosts cannot realise.
@Suite struct RouterFailureTests {
    private func report(
        _ cloud: Cloud, _ router: Router, _ host: String, _ state: HAState = .unknown, failure: String? = nil
    ) async throws -> [RouterFailureChange] {
        let registration = HostStatus.Registration(
            startID: "1", tunnelAddress: .init("192.0.2.\(host.utf8.last ?? 0)"), physicalNetworks: ["physnet1": "eth1"],
            stateDirectory: "/var/lib/neutrino")
        return try await cloud.operations.report(
            host: host,
            status: HostStatus(registration: registration, routers: [.init(routerID: router.id, state: state, failure: failure)]))
    }

    @Test("A standalone router that its host cannot realise is in ERROR until it can; other routers are not", arguments: Backend.allCases)
    func standalone(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let (router, other) = (try await cloud.router(), try await cloud.router())
        let began = try await report(cloud, router, "h1", failure: "link qr-1: no such device")
        #expect(began == [.init(routerID: router.id, hostID: "h1", failure: "link qr-1: no such device")])
        #expect(try await report(cloud, router, "h1", failure: "link qr-1: no such device").isEmpty, "a repetition says nothing new")
        let failing = try await cloud.show(router)
        #expect(failing.status == .error)
        #expect(failing.standard.revisionNumber == router.standard.revisionNumber)
        #expect(try await cloud.show(other).status == .active)
        #expect(try await cloud.operations.metrics().routerFailures == 1)
        // What only the API's users change leaves the status alone.
        #expect(try await cloud.update(failing, ["name": "still failing"]).status == .error)
        #expect(try await report(cloud, router, "h1") == [.init(routerID: router.id, hostID: "h1", failure: nil)])
        #expect(try await cloud.show(router).status == .active)
        #expect(try await cloud.operations.metrics().routerFailures == 0)
    }

    @Test("An HA router is in ERROR while its master fails, and not for a standby", arguments: Backend.allCases)
    func master(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for host in ["h1", "h2", "h3"] { try await cloud.report(host) }
        let router = try await cloud.router(["ha": true])
        _ = try await report(cloud, router, "h1", .active)
        _ = try await report(cloud, router, "h2", .standby, failure: "daemon keepalived: refused")
        #expect(try await cloud.show(router).status == .active)
        _ = try await report(cloud, router, "h1", .active, failure: "firewall: refused")
        #expect(try await cloud.show(router).status == .error)
        // Another takes over.
        #expect(try await report(cloud, router, "h3", .active).isEmpty)
        #expect(try await cloud.show(router).status == .active)
        #expect(try await cloud.operations.metrics().routerFailures == 2)
    }

    @Test("An HA router without a master is in ERROR when all of its members fail", arguments: Backend.allCases)
    func allMembers(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        for host in ["h1", "h2", "h3"] { try await cloud.report(host) }
        let router = try await cloud.router(["ha": true])
        for (host, status) in [("h1", ResourceStatus.active), ("h2", .active), ("h3", .error)] {
            _ = try await report(cloud, router, host, .standby, failure: "daemon keepalived: refused")
            #expect(try await cloud.show(router).status == status)
        }
        _ = try await report(cloud, router, "h2", .standby)
        #expect(try await cloud.show(router).status == .active)
    }

    @Test("The failure goes with the member that failed", arguments: Backend.allCases)
    func leaving(_ backend: Backend) async throws {
        let cloud = try Cloud(backend)
        try await cloud.report("h1")
        let router = try await cloud.router()
        try await cloud.report("h2")
        _ = try await report(cloud, router, "h1", failure: "link qg-1: refused")
        #expect(try await cloud.show(router).status == .error)
        try await cloud.enable(.l3, on: "h1", false)
        #expect(try await cloud.hosts(of: router) == ["h2"])
        #expect(try await cloud.show(router).status == .active)
        #expect(try await report(cloud, router, "h1", failure: "link qg-1: refused").isEmpty, "it is not h1's any more")
        #expect(try await cloud.show(router).status == .active)
    }

    @Test("A sentence that is too long is refused")
    func longSentence() async throws {
        let cloud = try Cloud()
        try await cloud.report("h1")
        let router = try await cloud.router()
        let error = try await apiError { try await report(cloud, router, "h1", failure: String(repeating: "x", count: 4097)) }
        #expect(error?.status == 400)
        #expect(try await cloud.show(router).status == .active)
    }
}
