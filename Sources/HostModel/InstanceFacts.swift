/// What the metadata service tells an instance besides what the network knows of it, where there is no Nova to ask.
///
/// Whoever plugs an instance in writes it into the port's `binding:profile`, under the key ``profileKey``, so it is kept in one place, survives every host,
/// and reaches whichever host serves the instance's network. In JSON:
///
///     "binding:profile": {"neutrino:instance": {
///         "hostname": "vm1", "public_keys": {"anna": "ssh-ed25519 AAAA… anna@desk"}, "user_data": "I2Nsb3VkLWNvbmZpZw==",
///         "meta": {"role": "web"}, "vendor_data": {"any": "object"}}}
///
/// All members may be missing. Profiles of Nova's have other members, which are left alone.
public struct InstanceFacts: Hashable, Sendable, Codable {
    public static let profileKey = "neutrino:instance"
    /// Octets of user data, before they are put into base64. (Nova takes 65,535, with it.)
    public static let maximumUserDataBytes = 65_536
    /// Octets of a whole `binding:profile`, in JSON: the user data in base64, and half as much again for keys and the like. What is longer is not
    /// looked at.
    public static let maximumProfileBytes = 131_072

    /// What the instance is called, with or without a domain; nil: as DHCP calls it.
    public var hostname: String?
    /// Name → line of an `authorized_keys` file.
    public var publicKeys: [String: String]
    /// In base64, since it may be any octets.
    public var userData: String?
    /// The `meta` of `meta_data.json`.
    public var meta: [String: String]
    /// The text of a JSON object; nil: an empty one.
    public var vendorData: String?

    public init(
        hostname: String? = nil, publicKeys: [String: String] = [:], userData: String? = nil, meta: [String: String] = [:],
        vendorData: String? = nil
    ) {
        self.hostname = hostname
        self.publicKeys = publicKeys
        self.userData = userData
        self.meta = meta
        self.vendorData = vendorData
    }
}
