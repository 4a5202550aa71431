import http from "k6/http";

export const options = {
  vus: Number(__ENV.USERS),
  duration: __ENV.SECONDS + "s",
  insecureSkipTLSVerify: true,
};

export default function () {
  http.get(__ENV.URL);
}
