// What the core calls of uni-app. A web build keeps only what it finds called by name, so all are named here.
export const api = {
  get request() {
    return uni.request;
  },
  get login() {
    return uni.login;
  },
  get getProvider() {
    return uni.getProvider;
  },
  get requestPayment() {
    return uni.requestPayment;
  },
  get requestVirtualPayment() {
    return uni.requestVirtualPayment;
  },
  get requestOrder() {
    return uni.requestOrder;
  },
  get getOrderPayment() {
    return uni.getOrderPayment;
  },
  get getStorageSync() {
    return uni.getStorageSync;
  },
  get setStorageSync() {
    return uni.setStorageSync;
  },
};
