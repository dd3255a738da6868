import APISchema
import Addressing
import NetworkModel

/// What a lab consists of, as `lab.json` in its state directory keeps it.
struct LabState: Hashable, Sendable {
    var name: String
    /// The path of the neutrino executable that the lab runs.
    var executable: String
    /// Where the API listens on the machine (127.0.0.1); nil without a server.
    var apiPort: Int?
    /// Whether the server authenticates its callers (`--auth built-in`).
    var authenticates = true
    /// Whether hosts have an agent.
    var hasServices = true
    /// The processes that keep the namespaces: `fabric`, `outside` and the hosts.
    var places: [String: Int32] = [:]
    var hosts: [String] = []
    var instances: [String: Instance.Record] = [:]

    init(name: String, executable: String) {
        self.name = name
        self.executable = executable
    }

    var json: JSONValue {
        [
            "name": .string(name), "executable": .string(executable), "services": .bool(hasServices),
            "authenticates": .bool(authenticates),
            "api_port": apiPort.map(JSONValue.integer) ?? .null,
            "places": .object(places.mapValues { .integer(Int($0)) }), "hosts": .array(hosts.map(JSONValue.string)),
            "instances": .object(instances.mapValues(\.json)),
        ]
    }

    /// Nil when the document is not a lab's.
    init?(json: JSONValue) {
        guard let name = json["name"]?.stringValue, let executable = json["executable"]?.stringValue else { return nil }
        self.init(name: name, executable: executable)
        hasServices = json["services"]?.boolValue ?? true
        authenticates = json["authenticates"]?.boolValue ?? false
        apiPort = json["api_port"]?.integerValue
        places = (json["places"]?.objectValue ?? [:]).compactMapValues { $0.integerValue.flatMap(Int32.init(exactly:)) }
        hosts = (json["hosts"]?.arrayValue ?? []).compactMap(\.stringValue)
        instances = (json["instances"]?.objectValue ?? [:]).compactMapValues(Instance.Record.init(json:))
    }
}
