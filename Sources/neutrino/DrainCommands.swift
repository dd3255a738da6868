import APISchema
import ArgumentParser
import Foundation
import Lab

/// Where the server of a command for operators is.
struct ServerAddress: ParsableArguments {
    @Option(help: "The server's address.")
    var server: String = "http://127.0.0.1:9696"

    /// Who calls, as the environment of the openstack client says.
    private var session: APISession? { APISession.fromEnvironment() }

    var client: APIClient { APIClient(endpoint: server, session: session) }

    static let loginAdvice =
        "The server asks who calls: set OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME, as for openstack."

    /// A call of the API, with a sentence of its own when it fails.
    func call(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        let answer: (status: Int, body: JSONValue)
        do {
            answer = try await client.send(method, path, body)
        } catch let failure as APIFailure {
            throw CleanExit.failure("\(failure.description).")
        } catch {
            throw CleanExit.failure("The server \(server) cannot be reached: \(error). Name it with --server.")
        }
        guard answer.status != 401 else {
            throw CleanExit.failure(Self.loginAdvice)
        }
        guard (200..<300).contains(answer.status) else {
            let message = answer.body["NeutronError"]?["message"]?.stringValue ?? answer.body.text
            throw CleanExit.failure("The server refused: \(message)")
        }
        return answer.body
    }

    /// Enables or disables the agents of a host that work is given to.
    func setAgents(of host: String, isEnabled: Bool) async throws {
        let name = host.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? host
        let agents = try await call("GET", "/v2.0/agents?host=\(name)")["agents"]?.arrayValue ?? []
        guard !agents.isEmpty else {
            throw CleanExit.failure("The server knows no host \(host): `openstack network agent list` names those that it knows.")
        }
        for agent in agents where ["L3 agent", "DHCP agent"].contains(agent["agent_type"]?.stringValue) {
            guard let id = agent["id"]?.stringValue else { continue }
            _ = try await call("PUT", "/v2.0/agents/\(id)", ["agent": ["admin_state_up": .bool(isEnabled)]])
        }
    }
}

struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Move everything that others need away from a host, so that it can be stopped.",
        discussion: """
            Disables the L3 and DHCP agents of the host, as `openstack network agent set --disable` does, and waits until the host is the master of \
            no router, has no standalone router and serves DHCP for no network. Masters hand over before they give way: no packet is lost. \
            Instances stay. The exit code is 0 when the host is free, and 1 when it was not in time; its agents stay disabled in both cases.

            It takes an administrator: OS_AUTH_URL, OS_USERNAME, OS_PASSWORD and OS_PROJECT_NAME as for the openstack client.
            """)

    /// Between two looks at the host.
    private static let pollMilliseconds = 200

    @Argument(help: "The host, as `openstack network agent list` names it.")
    var host: String

    @OptionGroup var address: ServerAddress

    @Option(help: "Seconds to wait.")
    var timeout: Int = 60

    func validate() throws {
        guard (0...86_400).contains(timeout) else { throw ValidationError("--timeout is 0 to 86400 seconds.") }
    }

    func run() async throws {
        try await address.setAgents(of: host, isEnabled: false)
        let end = ContinuousClock.now + .seconds(timeout)
        var shown = ""
        while true {
            let left = try await duties()
            if left.isEmpty { break }
            let text = left.joined(separator: ", ")
            if text != shown { print("\(host): \(text)") }
            shown = text
            guard ContinuousClock.now < end else {
                throw CleanExit.failure(
                    """
                    \(host) still has \(text). See whether other hosts are alive and enabled and reach the routers' external gateways, or give it \
                    more time with --timeout.
                    """)
            }
            try await Task.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
        print("\(host): free; `neutrino undrain \(host)` gives it work again")
    }

    /// What keeps the host from being stopped, in words; empty when nothing does.
    private func duties() async throws -> [String] {
        let name = host.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? host
        let body = try await address.call("GET", "/agent/v1/hosts/\(name)/duties")
        let names = [
            ("mastered_routers", "master", "masters"), ("standalone_routers", "standalone router", "standalone routers"),
            ("served_networks", "network with DHCP", "networks with DHCP"),
        ]
        return names.compactMap { member, singular, plural in
            guard case .integer(let count)? = body[member], count > 0 else { return nil }
            return "\(count) \(count == 1 ? singular : plural)"
        }
    }
}

struct UndrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undrain", abstract: "Give a drained host work again.",
        discussion: """
            Enables the L3 and DHCP agents of the host. Routers that it was the master of stay where they are; new ones come to it first, because \
            it has the fewest.
            """)

    @Argument(help: "The host, as `openstack network agent list` names it.")
    var host: String

    @OptionGroup var address: ServerAddress

    func run() async throws {
        try await address.setAgents(of: host, isEnabled: true)
        print("\(host): enabled")
    }
}
