'use strict';
/** `require("vk-uni-pay")` in a handler: this package has that name, and Node lets its files require it by it. */
module.exports = require('./framework').vkPay;
