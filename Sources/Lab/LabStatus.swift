import APISchema
import CLinux
import Glibc

/// What runs in a lab at this moment.
public struct LabStatus: Sendable {
    public struct Host: Sendable {
        public var name: String
        public var isAgentRunning: Bool
        public var isConnected: Bool
    }

    public var name: String
    public var endpoint: String
    public var directory: String
    public var isServerRunning: Bool
    public var hosts: [Host]
    public var instances: [Instance]

    public var text: String {
        var lines = ["lab \(name): server \(isServerRunning ? "running at \(endpoint)" : "NOT RUNNING"), logs in \(directory)"]
        for host in hosts {
            let agent = host.isAgentRunning ? "agent running" : "agent NOT RUNNING"
            lines.append("\(host.name)  \(agent), uplinks \(host.isConnected ? "up" : "DOWN")")
        }
        for instance in instances {
            let state = instance.place.isRunning ? "" : "  NOT RUNNING"
            lines.append("\(instance.name)  on \(instance.host)  \(instance.address)  \(instance.mac)  port \(instance.portID)\(state)")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    public var json: JSONValue {
        let hosts = hosts.map { host -> JSONValue in
            ["name": .string(host.name), "agent": .bool(host.isAgentRunning), "connected": .bool(host.isConnected)]
        }
        let instances = instances.map { instance -> JSONValue in
            [
                "name": .string(instance.name), "host": .string(instance.host), "address": .string(instance.address),
                "mac_address": .string(instance.mac), "port_id": .string(instance.portID), "running": .bool(instance.place.isRunning),
            ]
        }
        return [
            "name": .string(name), "endpoint": .string(endpoint), "directory": .string(directory), "server": .bool(isServerRunning),
            "hosts": .array(hosts), "instances": .array(instances),
        ]
    }
}

extension Lab {
    public var status: LabStatus {
        LabStatus(
            name: name, endpoint: endpoint, directory: stateDirectory, isServerRunning: isServerRunning,
            hosts: hosts.map { LabStatus.Host(name: $0.name, isAgentRunning: $0.isAgentRunning, isConnected: $0.isConnected) },
            instances: instances)
    }

    /// What the openstack client needs to speak to this lab as its administrator.
    public var clientEnvironment: [(name: String, value: String)] {
        guard state.authenticates, let login = try? Self.administratorLogin(directory, state) else {
            return [("OS_AUTH_TYPE", "none"), ("OS_ENDPOINT", endpoint)]
        }
        return [
            ("OS_AUTH_TYPE", "password"), ("OS_AUTH_URL", login.authURL), ("OS_IDENTITY_API_VERSION", "3"), ("OS_USERNAME", login.userName),
            ("OS_PASSWORD", login.password), ("OS_PROJECT_NAME", login.projectName), ("OS_USER_DOMAIN_ID", login.domainID),
            ("OS_PROJECT_DOMAIN_ID", login.domainID),
        ]
    }

    /// The same for a client that runs on one of the lab's hosts, which reach the server otherwise.
    public var hostEnvironment: [(name: String, value: String)] {
        clientEnvironment.map { ($0.name, $0.value.hasPrefix(endpoint) ? hostEndpoint + $0.value.dropFirst(endpoint.count) : $0.value) }
    }

    /// Where hosts reach the API.
    public var hostEndpoint: String { "http://\(Underlay.controlAddress):\(Underlay.controlPort)" }

    /// The neutrino executable that the lab runs.
    public var executable: String { state.executable }

    /// The address to ping for an instance, a host, `outside`, or an address itself.
    public func address(of name: String) throws(LabError) -> String {
        if SocketAddress.isIPv4(name) { return name }
        if name == "outside" { return Underlay.outsideAddress }
        if let host = hosts.first(where: { $0.name == name }) { return Underlay.hostAddress(host.number) }
        return try instance(name).address
    }
}

extension Place {
    /// Replaces the calling process by a command inside the place.
    ///
    /// - Returns: only when that failed, why.
    public func execute(_ command: [String]) -> LabError {
        var arguments: [UnsafeMutablePointer<CChar>?] = words(command).map { strdup($0) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        let code = clinux_execute(&arguments)
        return LabError("Cannot run \(command[0]) in \(name): \(String(cString: strerror(-code))).")
    }
}
