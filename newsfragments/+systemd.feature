`systemd/dsmr.service` is a unit to copy: the service tells systemd when it is ready and that it is alive, shows its health in `systemctl status`, and can do little else on the machine than read the meter and serve.
A stop answers whoever has asked already, and closes connections in order.
