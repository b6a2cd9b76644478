//! Firecracker's configuration: the file for its option `--config-file`, whose fields are those of
//! its API (`src/firecracker/swagger/firecracker.yaml` in its sources, `FullVmConfiguration`).

use std::ffi::OsString;
use std::path::Path;

use serde::Serialize;

use crate::arguments;
use crate::error::Error;
use crate::monitor::Machine;

/// Name of the program.
pub const PROGRAM: &str = "firecracker";

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Configuration<'a> {
    boot_source: BootSource<'a>,
    machine_config: MachineConfiguration,
    /// The file must have a list of drives, if an empty one.
    drives: [(); 0],
    network_interfaces: Vec<NetworkInterface<'a>>,
}

#[derive(Serialize)]
struct BootSource<'a> {
    kernel_image_path: &'a Path,
    boot_args: String,
}

#[derive(Serialize)]
struct MachineConfiguration {
    vcpu_count: u8,
    mem_size_mib: u64,
}

#[derive(Serialize)]
struct NetworkInterface<'a> {
    iface_id: &'a str,
    host_dev_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    guest_mac: Option<&'a str>,
}

/// The configuration, in JSON, of a machine that boots `image` with the program's arguments.
pub fn configuration(
    machine: &Machine,
    image: &Path,
    program_arguments: &[String],
) -> Result<String, Error> {
    let nic = machine.nic.iter().map(|nic| NetworkInterface {
        iface_id: "net0",
        host_dev_name: &nic.interface,
        guest_mac: nic.mac.as_deref(),
    });
    let configuration = Configuration {
        boot_source: BootSource {
            kernel_image_path: image,
            boot_args: arguments::join(program_arguments),
        },
        machine_config: MachineConfiguration {
            vcpu_count: 1,
            mem_size_mib: machine.memory,
        },
        drives: [],
        network_interfaces: nic.collect(),
    };
    serde_json::to_string_pretty(&configuration)
        .map_err(std::io::Error::from)
        .map_err(Error::system("write the configuration"))
}

/// Firecracker's arguments for a machine with the configuration in this file.
pub fn command_line(configuration: &Path) -> Vec<OsString> {
    vec![
        "--no-api".into(),
        "--config-file".into(),
        configuration.into(),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::configuration;
    use crate::monitor::tests::machine;

    /// The documented fields of what is used here; a field is optional where the documentation says
    /// so.
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    struct FullVmConfiguration {
        boot_source: BootSource,
        machine_config: MachineConfiguration,
        drives: Vec<Value>,
        #[serde(default)]
        network_interfaces: Vec<NetworkInterface>,
        #[serde(rename = "balloon")]
        _balloon: Option<Value>,
        #[serde(rename = "cpu-config")]
        _cpu_config: Option<Value>,
        #[serde(rename = "logger")]
        _logger: Option<Value>,
        #[serde(rename = "metrics")]
        _metrics: Option<Value>,
        #[serde(rename = "mmds-config")]
        _mmds_config: Option<Value>,
        #[serde(rename = "vsock")]
        _vsock: Option<Value>,
        #[serde(rename = "entropy")]
        _entropy: Option<Value>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct BootSource {
        kernel_image_path: String,
        boot_args: Option<String>,
        #[serde(rename = "initrd_path")]
        _initrd_path: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct MachineConfiguration {
        /// 1, or an even number up to 32.
        vcpu_count: u8,
        mem_size_mib: u64,
        #[serde(rename = "smt")]
        _smt: Option<bool>,
        #[serde(rename = "cpu_template")]
        _cpu_template: Option<String>,
        #[serde(rename = "track_dirty_pages")]
        _track_dirty_pages: Option<bool>,
        #[serde(rename = "huge_pages")]
        _huge_pages: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NetworkInterface {
        iface_id: String,
        host_dev_name: String,
        guest_mac: Option<String>,
        #[serde(rename = "mtu")]
        _mtu: Option<u16>,
        #[serde(rename = "rx_rate_limiter")]
        _rx_rate_limiter: Option<Value>,
        #[serde(rename = "tx_rate_limiter")]
        _tx_rate_limiter: Option<Value>,
    }

    fn text(words: &str, arguments: &[&str]) -> String {
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        configuration(
            &machine(words).unwrap(),
            Path::new("/a/site.elf"),
            &arguments,
        )
        .unwrap()
    }

    #[test]
    fn the_configuration_has_the_documented_form() {
        let text = text(
            "--memory 65M --net tap=tap0 --mac 52:54:00:00:00:01",
            &["--hello", "two words"],
        );
        let found: FullVmConfiguration = serde_json::from_str(&text).unwrap();
        assert_eq!(found.boot_source.kernel_image_path, "/a/site.elf");
        let arguments = found.boot_source.boot_args.as_deref();
        assert_eq!(arguments, Some(r#"--hello "two words""#));
        assert_eq!(found.machine_config.vcpu_count, 1);
        assert_eq!(found.machine_config.mem_size_mib, 65);
        assert!(found.drives.is_empty());
        let [nic] = &found.network_interfaces[..] else {
            panic!("{text}");
        };
        assert_eq!(
            (nic.iface_id.as_str(), nic.host_dev_name.as_str()),
            ("net0", "tap0")
        );
        assert_eq!(nic.guest_mac.as_deref(), Some("52:54:00:00:00:01"));
    }

    #[test]
    fn what_is_not_given_is_left_out() {
        let whole: Value = serde_json::from_str(&text("", &[])).unwrap();
        assert_eq!(
            whole,
            json!({
                "boot-source": { "kernel_image_path": "/a/site.elf", "boot_args": "" },
                "machine-config": { "vcpu_count": 1, "mem_size_mib": 32 },
                "drives": [],
                "network-interfaces": [],
            })
        );
        assert!(!text("--net tap=tap0", &[]).contains("guest_mac"));
    }
}
