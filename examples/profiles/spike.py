from locust import LoadTestShape


class Spike(LoadTestShape):
    """1 user, suddenly 50, and 1 again; each for a third of --run-time."""

    use_common_options = True

    def tick(self):
        third = (self.runner.environment.parsed_options.run_time or 90) / 3
        now = self.get_run_time()
        if now >= 3 * third:
            return None
        return (50, 50) if third <= now < 2 * third else (1, 50)
